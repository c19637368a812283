{{- define "voxtrunk.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "voxtrunk.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "voxtrunk.keys" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "voxtrunk.name" .)) -}}
{{- end -}}

{{- define "voxtrunk.redis" -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "voxtrunk.name" .)) -}}
{{- end -}}

{{- define "voxtrunk.most" -}}
{{- if .Values.autoscaling.enabled }}{{ .Values.autoscaling.max }}{{ else }}{{ .Values.replicas }}{{ end -}}
{{- end -}}
