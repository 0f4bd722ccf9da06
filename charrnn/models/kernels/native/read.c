/* One text through a recurrent network, in order: threads share the layers, as stages of a pipeline.
 *
 * The text passes in pieces. Each layer has two stages: one computes W x + b of a piece, the next takes its steps. The first
 * stage of all looks up the embeddings, and the last computes logits. The steps of a layer cannot be divided among
 * threads, which would wait for each other most of the time; so a thread takes any stage with a piece ready, the last one
 * first. During a layer's steps its matrix stays in the core's cache: panels are read alternately forward and backward,
 * because the panels read last are still in the cache.
 */
#include <sched.h>
#include <stdlib.h>
#include "network.h"

#define PIECE 64  /* characters per piece */
#define SLOTS 4   /* number of pieces that a stage may be ahead of the stage that reads its output */

enum { EMBED, INPUT, STEPS, HEAD };

typedef struct {
    int kind, busy;
    long layer, done;  /* done: number of pieces */
    int reader;        /* the last stage that reads the output of this one */
} stage;

typedef struct {
    const network *n;
    const int64_t *tokens;
    const float *embedded;
    float *const *states, *logits, *inputs, *between;
    long T;
} text;

INLINE float *slot(float *rings, long ring, long piece, long width) {
    return rings + (ring * SLOTS + piece % SLOTS) * PIECE * width;
}

static void work(const text *s, int kind, long k, long piece) {
    const network *n = s->n;
    const layer *l = n->layer + k;
    long W = n->width, from = piece * PIECE, rows = s->T - from < PIECE ? s->T - from : PIECE;
    const int64_t *tokens = s->tokens + from;
    float *x = slot(s->between, k, piece, W), *y = slot(s->between, k + 1, piece, W);
    float *inputs = slot(s->inputs, k, piece, n->gates * n->H);
    if (kind == EMBED)
        for (long t = 0; t < rows; t++)
            memcpy(x + t * W, input_of(n, s->tokens, s->embedded, from + t), n->layer->D * sizeof *x);
    else if (kind == INPUT) affine(&l->input, l->bias, x, W, rows, inputs);
    else if (kind == HEAD) affine(&n->head, n->head_bias, x, W, rows, s->logits + from * n->V);
    else
        for (long t = 0; t < rows; t++) {
            if (l->table) advance(n, l, l->table, tokens + t, s->states[k], 1, y + t * W, W, t & 1);
            else advance(n, l, inputs + t * n->gates * n->H, 0, s->states[k], 1, y + t * W, W, t & 1);
            if (l->residual) add_to(y + t * W, x + t * W, n->H);
        }
}

/* The next stage to work on, or −1. Its next piece must be ready in the previous stage, and its slot must be free. */
static int ready(const stage *stages, int count, long pieces) {
    for (int i = count - 1; i >= 0; i--) {
        const stage *s = stages + i;
        if (!s->busy && s->done < pieces && (i == 0 || s->done < stages[i - 1].done) &&
            (s->kind == HEAD || s->done < stages[s->reader].done + SLOTS))
            return i;
    }
    return -1;
}

/* tokens (T); embedded (T, D) are the inputs of the first layer, or null for the embeddings of the tokens; states, (S) per
 * layer, are updated; logits (T, V) are written. Returns −1, or −2 if out of memory, or the index of the first token that
 * is not in the vocabulary. */
long network_read(const network *n, const int64_t *tokens, const float *embedded, float *const *states, float *logits,
                  long T, int threads) {
    for (long t = 0; t < T; t++)
        if (tokens[t] < 0 || tokens[t] >= n->V) return t;
    size_t between = (n->layers + 1) * SLOTS * PIECE * n->width, inputs = n->layers * SLOTS * PIECE * n->gates * n->H;
    float *memory = malloc((between + inputs) * sizeof *memory);
    stage *stages = malloc((2 * n->layers + 2) * sizeof *stages);
    if (!memory || !stages) {
        free(memory), free(stages);
        return -2;
    }
    text s = {n, tokens, embedded, states, logits, memory + between, memory, T};
    int count = 0;
    stages[count++] = (stage){EMBED, 0, 0, 0, 0};
    for (long k = 0; k < n->layers; k++) {
        if (!n->layer[k].table) stages[count++] = (stage){INPUT, 0, k, 0, 0};
        stages[count++] = (stage){STEPS, 0, k, 0, 0};
    }
    stages[count++] = (stage){HEAD, 0, n->layers, 0, 0};
    for (int i = count - 2, steps = count - 1; i >= 0; i--) {
        stages[i].reader = stages[i].kind == INPUT ? i + 1 : steps;
        if (stages[i].kind == STEPS) steps = i;
    }
    long pieces = (T + PIECE - 1) / PIECE;
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        unsigned before = set_float_mode(mode);
        for (int finished = 0; !finished;) {
            int chosen;
            long layer = 0, piece = 0;
#pragma omp critical(charrnn_stages)
            {
                chosen = ready(stages, count, pieces);
                finished = stages[count - 1].done == pieces;
                if (chosen >= 0) {
                    stages[chosen].busy = 1;
                    layer = stages[chosen].layer, piece = stages[chosen].done;
                }
            }
            if (chosen < 0) {
                sched_yield();
                continue;
            }
            work(&s, stages[chosen].kind, layer, piece);
#pragma omp critical(charrnn_stages)
            stages[chosen].done++, stages[chosen].busy = 0;
        }
        set_float_mode(before);
    }
    free(memory), free(stages);
    return -1;
}
