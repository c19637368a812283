"""When flite's phones end, asked of the trees in its own libraries: without audio, in a tenth of the time.

flite's `cg_make_hmmstates` and `cg_make_params` (src/cg/cst_cg.c, flite 2.2) in ctypes: each phone has three
states, a tree tells how many deviations from its mean each one lasts, none is shorter than a frame. Up to there
flite does everything itself: words, phrases, its lexicon, accents.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_float, c_int, c_void_p
from typing import Any

_CORE, _BESIDE = "libflite.so.1", ("libflite_usenglish.so.1", "libflite_cmulex.so.1")
_Synth = CFUNCTYPE(c_void_p, c_void_p)


class _Voice(Structure):
    """cst_voice_struct, of which only the beginning is read."""

    _fields_ = (("name", c_char_p), ("features", c_void_p))


class _Spread(Structure):
    """dur_stat: a state's mean and standard deviation, in seconds."""

    _fields_ = (("phone", c_char_p), ("mean", c_float), ("deviation", c_float))


class _Model(Structure):
    """cst_cg_db, up to what is read of it."""

    _fields_ = (
        ("name", c_char_p), ("types", c_void_p), ("num_types", c_int), ("sample_rate", c_int),
        ("f0_mean", c_float), ("f0_stddev", c_float), ("num_f0_models", c_int), ("f0_trees", c_void_p),
        ("num_param_models", c_int), ("param_trees", c_void_p), ("spamf0_accent_tree", c_void_p),
        ("spamf0_phrase_tree", c_void_p), ("num_channels", c_void_p), ("num_frames", c_void_p),
        ("model_vectors", c_void_p), ("num_channels_spamf0_accent", c_int), ("num_frames_spamf0_accent", c_int),
        ("spamf0_accent_vectors", c_void_p), ("model_min", c_void_p), ("model_range", c_void_p),
        ("qtable", c_void_p), ("model_shape", c_int), ("frame_advance", c_float), ("num_dur_models", c_int),
        ("dur_stats", POINTER(POINTER(POINTER(_Spread)))), ("dur_cart", POINTER(c_void_p)),
        ("phone_states", POINTER(POINTER(c_char_p))),
    )  # fmt: skip


_CALLS = {
    "new_utterance": (c_void_p,), "utt_set_input_text": (c_void_p, c_void_p, c_char_p),
    "utt_init": (c_void_p, c_void_p, c_void_p), "utt_synth": (c_void_p, c_void_p),
    "delete_utterance": (None, c_void_p), "utt_relation": (c_void_p, c_void_p, c_char_p),
    "utt_relation_create": (c_void_p, c_void_p, c_char_p), "relation_head": (c_void_p, c_void_p),
    "relation_append": (c_void_p, c_void_p, c_void_p), "item_add_daughter": (c_void_p, c_void_p, c_void_p),
    "item_next": (c_void_p, c_void_p), "item_feat_string": (c_char_p, c_void_p, c_char_p),
    "item_set_string": (None, c_void_p, c_char_p, c_char_p), "item_set_int": (None, c_void_p, c_char_p, c_int),
    "cart_interpret": (c_void_p, c_void_p, c_void_p), "val_float": (c_float, c_void_p),
    "feat_val": (c_void_p, c_void_p, c_char_p), "feat_set": (None, c_void_p, c_char_p, c_void_p),
    "val_cg_db": (POINTER(_Model), c_void_p), "uttfunc_val": (c_void_p, _Synth),
}  # fmt: skip
"""What each function of libflite returns and takes."""


class FliteLibrary:
    """A statistical voice of flite, such as `slt`; not for more than one thread. Raises OSError without it."""

    def __init__(self, voice: str) -> None:
        core = ctypes.CDLL(_CORE, mode=ctypes.RTLD_GLOBAL)
        for name in _BESIDE:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        for name, (gives, *takes) in _CALLS.items():
            function = getattr(core, name)
            function.restype, function.argtypes = gives, takes
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1"), f"register_cmu_us_{voice}")
        register.restype, register.argtypes = POINTER(_Voice), (c_char_p,)
        core.flite_init()
        self._core, self._voice = core, register(None)
        features = self._voice.contents.features
        self._model = core.val_cg_db(core.feat_val(features, b"cg_db")).contents
        self._hook = _Synth(lambda utterance: utterance)  # kept, for flite calls it where it would make audio
        core.feat_set(features, b"wave_synth_func", core.uttfunc_val(self._hook))
        self._states = _states(self._model)
        self._spreads = _spreads(self._model)

    def phones(self, text: str) -> tuple[list[str], list[tuple[float, ...]]]:
        """The phones of `text`, pauses too, and how many seconds each one's states last."""
        core = self._core
        utterance = core.new_utterance()
        try:
            core.utt_set_input_text(utterance, text.encode())
            core.utt_init(utterance, self._voice)
            core.utt_synth(utterance)
            return self._timed(utterance)
        finally:
            core.delete_utterance(utterance)

    def _timed(self, utterance: int) -> tuple[list[str], list[tuple[float, ...]]]:
        core = self._core
        spoken, held = (core.utt_relation_create(utterance, name) for name in (b"HMMstate", b"segstate"))
        names: list[str] = []
        states: list[list[tuple[bytes, int]]] = []
        phone = core.relation_head(core.utt_relation(utterance, b"Segment"))
        while phone:
            name = core.item_feat_string(phone, b"name")
            parent = core.relation_append(held, phone)
            states.append([])
            for place, state in enumerate(self._states[name], 1):
                item = core.relation_append(spoken, None)
                core.item_add_daughter(parent, item)
                core.item_set_string(item, b"name", state)
                core.item_set_int(item, b"statepos", place)
                states[-1].append((state, item))
            names.append(name.decode())
            phone = core.item_next(phone)
        # once they all are there, for the trees look at the next ones too
        return names, [tuple(self._lasts(*state) for state in each) for each in states]

    def _lasts(self, state: bytes, item: int) -> float:
        trees = self._model.num_dur_models
        told = sum(
            self._core.val_float(self._core.cart_interpret(item, self._model.dur_cart[tree]))
            for tree in range(trees)
        )
        mean, deviation = self._spreads[state]
        return max(float(told / trees * deviation + mean), self._model.frame_advance)


def _states(model: _Model) -> dict[bytes, list[bytes]]:
    """The states of each phone: rows of names, a phone's own first, up to a null one."""
    found = {}
    for row in _until_null(model.phone_states):
        name, *states = _until_null(row)
        found[name] = states
    return found


def _spreads(model: _Model) -> dict[bytes, tuple[float, float]]:
    listed = (each.contents for each in _until_null(model.dur_stats[0]))
    return {each.phone: (each.mean, each.deviation) for each in listed}


def _until_null(pointers: Any) -> Iterator[Any]:
    index = 0
    while pointers[index]:
        yield pointers[index]
        index += 1
