/* One character of each of B texts through a recurrent network, from ids to logits. Rows of a batch are independent: a
 * row's result is the same to the last bit whatever the other rows and the number of threads are.
 */
#include "network.h"

size_t matrix_bytes(const matrix *m) { return panel_bytes(m); }

void pack_matrix(const matrix *m, const float *w) {  /* w: (gates N, K), row-major */
    for (long p = 0; p < panel_count(m); p++) pack(m, w, m->K, 1, p);
}

/* tokens (B); embedded (B, D) are the inputs of the first layer, or null for the embeddings of the tokens; states, (B, S)
 * per layer, are updated; logits (B, V) are written. Work space: x and y (B, width), inputs (B, G H). Returns −1, or the
 * first row whose token is not in the vocabulary. */
long network_step(const network *n, const int64_t *tokens, const float *embedded, float *const *states, float *x, float *y,
                  float *inputs, float *logits, long B, int threads) {
    for (long row = 0; row < B; row++)
        if (tokens[row] < 0 || tokens[row] >= n->V) return row;
    long D = n->layer[0].D, W = n->width;
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        unsigned before = set_float_mode(mode);
        long first, last;
        my_part(B, &first, &last);
        long rows = last - first;
        float *mine = x + first * W, *new = y + first * W, *in = inputs + first * n->gates * n->H;
        for (long i = 0; i < rows; i++)
            memcpy(mine + i * W, input_of(n, tokens, embedded, first + i), D * sizeof *mine);
        for (long k = 0; k < n->layers; k++) {
            const layer *l = n->layer + k;
            float *state = states[k] + first * n->S;
            if (!l->table) affine(&l->input, l->bias, mine, W, rows, in);
            advance(n, l, l->table ? l->table : in, l->table ? tokens + first : 0, state, rows, new, W, 0);
            if (l->residual)
                for (long i = 0; i < rows; i++) add_to(mine + i * W, new + i * W, n->H);
            else {
                float *swapped = mine;
                mine = new, new = swapped;
            }
        }
        affine(&n->head, n->head_bias, mine, W, rows, logits + first * n->V);
        set_float_mode(before);
    }
    return -1;
}
