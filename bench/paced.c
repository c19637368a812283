/* The limit of pacing: the same schedule as the media worker's, in C, and nothing else. LEGS streams of 20 ms
 * packets over eight phases, one sendmmsg(2) a phase on one socket, woken by an absolute clock.
 *
 *     paced FIRST_ADDRESS PORT LEGS SECONDS      stream i goes to FIRST_ADDRESS + i
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { PHASES = 8, OCTETS = 172, TICK_NS = 2500000, AT_ONCE = 1024 };

struct leg {
    unsigned char packet[OCTETS];
    struct sockaddr_in to;
    struct iovec vector;
};

static void stamp(struct leg *leg, uint32_t frame)
{
    uint16_t sequence = htons((uint16_t)frame);
    uint32_t timestamp = htonl(frame * 160);
    memcpy(leg->packet + 2, &sequence, 2);
    memcpy(leg->packet + 4, &timestamp, 4);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    uint32_t first = ntohl(inet_addr(argv[1]));
    int port = atoi(argv[2]), legs = atoi(argv[3]);
    long ticks = atol(argv[4]) * 400;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), dont_fragment = IP_PMTUDISC_DO;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("127.0.0.1")};
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here))
        return perror("paced"), 1;
    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &dont_fragment, sizeof dont_fragment);
    struct leg *all = calloc(legs, sizeof *all);
    struct mmsghdr *messages = calloc(legs, sizeof *messages);
    for (int i = 0; i < legs; i++) {
        uint32_t ssrc = htonl(i + 1);
        all[i].packet[0] = 0x80;
        memcpy(all[i].packet + 8, &ssrc, 4);
        all[i].to = (struct sockaddr_in){AF_INET, htons(port), {htonl(first + i)}, {0}};
        all[i].vector = (struct iovec){all[i].packet, OCTETS};
        messages[i].msg_hdr = (struct msghdr){&all[i].to, sizeof all[i].to, &all[i].vector, 1, NULL, 0, 0};
    }
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    for (long tick = 0; tick < ticks; tick++) {
        int begin = (int)((long)legs * (tick % PHASES) / PHASES);
        int end = (int)((long)legs * (tick % PHASES + 1) / PHASES);
        for (int i = begin; i < end; i++)
            stamp(&all[i], (uint32_t)(tick / PHASES));
        for (int done = begin; done < end;) {
            int n = sendmmsg(fd, messages + done, end - done > AT_ONCE ? AT_ONCE : end - done, 0);
            if (n < 1)
                return perror("paced"), 1;
            done += n;
        }
        at.tv_nsec += TICK_NS;
        if (at.tv_nsec >= 1000000000)
            at.tv_sec++, at.tv_nsec -= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
    return 0;
}
