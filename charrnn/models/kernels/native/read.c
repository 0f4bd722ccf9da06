/* One text through a recurrent network, in order: threads share its layers, as stages that the text passes in pieces.
 *
 * For each layer one stage makes W x + b of a piece and the next takes its steps; the first fetches what stands for the
 * characters, and the last makes logits. Steps cannot be shared, and two threads that met at each of them would wait
 * most of the time; so a thread takes any stage whose piece is ready, the latest first. While it takes a layer's
 * steps, the layer's matrix stays in its core's cache: panels are read to and fro, since the last ones are there still.
 */
#include <sched.h>
#include <stdlib.h>
#include "network.h"

#define PIECE 64  /* characters */
#define SLOTS 4   /* pieces that a stage may be ahead of the one that needs what it wrote */

enum { EMBED, INPUT, STEPS, HEAD };

typedef struct {
    int kind, busy;
    long layer, done;  /* pieces */
    int reader;        /* the last stage that reads what this one writes */
} stage;

typedef struct {
    const network *n;
    const int64_t *tokens;
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
        for (long t = 0; t < rows; t++) memcpy(x + t * W, n->embedding + tokens[t] * n->layer->D, n->layer->D * sizeof *x);
    else if (kind == INPUT) affine(&l->input, l->bias, x, W, rows, inputs);
    else if (kind == HEAD) affine(&n->head, n->head_bias, x, W, rows, s->logits + from * n->V);
    else
        for (long t = 0; t < rows; t++) {
            if (l->table) advance(n, l, l->table, tokens + t, s->states[k], 1, y + t * W, W, t & 1);
            else advance(n, l, inputs + t * n->gates * n->H, 0, s->states[k], 1, y + t * W, W, t & 1);
            if (l->residual) add_to(y + t * W, x + t * W, n->H);
        }
}

/* The stage to take, or −1. Its next piece must have come from the stage before, and its slot must be free. */
static int ready(const stage *stages, int count, long pieces) {
    for (int i = count - 1; i >= 0; i--) {
        const stage *s = stages + i;
        if (!s->busy && s->done < pieces && (i == 0 || s->done < stages[i - 1].done) &&
            (s->kind == HEAD || s->done < stages[s->reader].done + SLOTS))
            return i;
    }
    return -1;
}

/* tokens (T); states, of each layer (S), become the last ones; logits (T, V), written. Returns −1, or −2 if there is no
 * memory, or the first place whose token there is not. */
long network_read(const network *n, const int64_t *tokens, float *const *states, float *logits, long T, int threads) {
    for (long t = 0; t < T; t++)
        if (tokens[t] < 0 || tokens[t] >= n->V) return t;
    size_t between = (n->layers + 1) * SLOTS * PIECE * n->width, inputs = n->layers * SLOTS * PIECE * n->gates * n->H;
    float *memory = malloc((between + inputs) * sizeof *memory);
    stage *stages = malloc((2 * n->layers + 2) * sizeof *stages);
    if (!memory || !stages) {
        free(memory), free(stages);
        return -2;
    }
    text s = {n, tokens, states, logits, memory + between, memory, T};
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
            int mine;
            long layer = 0, piece = 0;
#pragma omp critical(charrnn_stages)
            {
                mine = ready(stages, count, pieces);
                finished = stages[count - 1].done == pieces;
                if (mine >= 0) {
                    stages[mine].busy = 1;
                    layer = stages[mine].layer, piece = stages[mine].done;
                }
            }
            if (mine < 0) {
                sched_yield();
                continue;
            }
            work(&s, stages[mine].kind, layer, piece);
#pragma omp critical(charrnn_stages)
            stages[mine].done++, stages[mine].busy = 0;
        }
        set_float_mode(before);
    }
    free(memory), free(stages);
    return -1;
}
