/* The part of measure.c that goes through pixels of three channels on processors that take them apart into planes in a
 * few instructions (AVX-512 with VBMI and VNNI): the same sums and means as measure_rows.h, in a third of the time. */

#include <immintrin.h>

#define PLANAR __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")))
#define PLANAR_INLINE PLANAR INLINE

enum {
    AT_ONCE = 64,           /* pixels */
    WIDEST = 1 << 16,       /* pixels in a row: a row alone must not be more than MOST_ADDED */
    MOST_ADDED = 1 << 14    /* times that a lane of squares is added to; see add_plane */
};

/* Where each byte of a plane lies in the three vectors that 64 pixels fill: in the first two, and then, where it is not
 * there, in what was found and the third. */
#define FIRST(c, i) (3 * (i) + (c) < 2 * AT_ONCE ? 3 * (i) + (c) : 0)
#define SECOND(c, i) (3 * (i) + (c) < 2 * AT_ONCE ? (i) : 3 * (i) + (c) - AT_ONCE)
#define FOUR(place, c, i) place(c, i), place(c, i + 1), place(c, i + 2), place(c, i + 3)
#define SIXTEEN(place, c, i) FOUR(place, c, i), FOUR(place, c, i + 4), FOUR(place, c, i + 8), FOUR(place, c, i + 12)
#define ALL(place, c) \
    {SIXTEEN(place, c, 0), SIXTEEN(place, c, 16), SIXTEEN(place, c, 32), SIXTEEN(place, c, 48)}
static const uint8_t FIRST_PLACES[3][AT_ONCE] = {ALL(FIRST, 0), ALL(FIRST, 1), ALL(FIRST, 2)};
static const uint8_t SECOND_PLACES[3][AT_ONCE] = {ALL(SECOND, 0), ALL(SECOND, 1), ALL(SECOND, 2)};

/* Bits for so many bytes, 64 at most. */
INLINE uint64_t bits_of(size_t bytes)
{
    return bytes >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bytes) - 1;
}

/* `n` pixels, 64 at most, by plane; zeros behind them. */
PLANAR_INLINE void take_planes(const uint8_t *pixels, size_t n, const __m512i *first, const __m512i *second,
                               __m512i *planes)
{
    size_t bytes = 3 * n;
    __m512i a = _mm512_maskz_loadu_epi8(bits_of(bytes), pixels);
    __m512i b = _mm512_maskz_loadu_epi8(bits_of(bytes > 64 ? bytes - 64 : 0), pixels + 64);
    __m512i c = _mm512_maskz_loadu_epi8(bits_of(bytes > 128 ? bytes - 128 : 0), pixels + 128);
    for (size_t i = 0; i < 3; i++)
        planes[i] = _mm512_permutex2var_epi8(_mm512_permutex2var_epi8(a, first[i], b), second[i], c);
}

/* A byte v times v - 128 is what the instruction for bytes with and without a sign can multiply; 128 v is added in the
 * end. Four such products are between -16,384 and 129,540, so that a lane holds the sum of 2^14 of these. */
PLANAR_INLINE void add_plane(__m512i *sum, __m512i *squares, __m512i values)
{
    *sum = _mm512_dpbusd_epi32(*sum, values, _mm512_set1_epi8(1));
    *squares = _mm512_dpbusd_epi32(*squares, values, _mm512_xor_si512(values, _mm512_set1_epi8(-128)));
}

/* The means of 2x2 values, from 64 of one row and 64 of the one below. */
PLANAR_INLINE __m256i means_of(__m512i above, __m512i below)
{
    __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_add_epi16(_mm512_maddubs_epi16(above, ones), _mm512_maddubs_epi16(below, ones));
    return _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_add_epi16(sum, _mm512_set1_epi16(2)), 2));
}

PLANAR_INLINE void empty_plane(__m512i *sum, __m512i *squares, size_t plane, Measured *found)
{
    uint32_t of_sum[16];
    int32_t of_squares[16];
    int64_t sums = 0, all_squares = 0;
    memcpy(of_sum, sum, sizeof of_sum);
    memcpy(of_squares, squares, sizeof of_squares);
    for (size_t i = 0; i < 16; i++) {
        sums += of_sum[i];
        all_squares += of_squares[i];
    }
    found->sums[plane] += (uint64_t)sums;
    found->squares[plane] += (uint64_t)(all_squares + 128 * sums);
    *sum = *squares = _mm512_setzero_si512();
}

/* As add_up of measure_rows.h, for `rows` of which all but the last lie in pairs. `half` has the planes of a row one
 * behind the other. */
PLANAR static void add_up_planes(const uint8_t *pixels, uint8_t *half, size_t rows, size_t width, Measured *found)
{
    __m512i first[3], second[3], zero = _mm512_setzero_si512();
    memcpy(first, FIRST_PLACES, sizeof first);
    memcpy(second, SECOND_PLACES, sizeof second);
    /* One by one, for what is in an array is kept in memory. */
    __m512i sum0 = zero, sum1 = zero, sum2 = zero, squares0 = zero, squares1 = zero, squares2 = zero;
    size_t columns = (width + 1) / 2, added = 0;
    for (size_t y = 0; y < rows; y += 2) {
        const uint8_t *above = pixels + 3 * width * y, *below = above + 3 * width;
        int alone = y + 1 == rows;
        for (size_t x = 0; x < width; x += AT_ONCE) {
            size_t n = width - x < AT_ONCE ? width - x : AT_ONCE;
            __m512i one[3], other[3];
            take_planes(above + 3 * x, n, first, second, one);
            add_plane(&sum0, &squares0, one[0]);
            add_plane(&sum1, &squares1, one[1]);
            add_plane(&sum2, &squares2, one[2]);
            if (alone)
                memcpy(other, one, sizeof other);
            else {
                take_planes(below + 3 * x, n, first, second, other);
                add_plane(&sum0, &squares0, other[0]);
                add_plane(&sum1, &squares1, other[1]);
                add_plane(&sum2, &squares2, other[2]);
            }
            if (half != NULL)
                for (size_t c = 0; c < 3; c++)
                    _mm256_mask_storeu_epi8(half + c * columns + x / 2, (__mmask32)bits_of((n + 1) / 2),
                                            means_of(one[c], other[c]));
        }
        if (half != NULL) {
            /* The last column of an odd number counts twice. */
            if (width % 2)
                for (size_t c = 0, last = 3 * (width - 1); c < 3; c++)
                    half[(c + 1) * columns - 1] =
                        (uint8_t)((2 * (above[last + c] + (alone ? above : below)[last + c]) + 2) / 4);
            half += 3 * columns;
        }
        added += 2 * ((width + AT_ONCE - 1) / AT_ONCE);
        if (added > MOST_ADDED - 2 * WIDEST / AT_ONCE || y + 2 >= rows) {
            empty_plane(&sum0, &squares0, 0, found);
            empty_plane(&sum1, &squares1, 1, found);
            empty_plane(&sum2, &squares2, 2, found);
            added = 0;
        }
    }
}

/* As halve of measure_rows.h. */
PLANAR static void halve_planes(uint8_t *picture, size_t height, size_t width)
{
    size_t columns = (width + 1) / 2;
    uint8_t *to = picture;
    for (size_t y = 0; y < height; y += 2)
        for (size_t c = 0; c < 3; c++, to += columns) {
            const uint8_t *above = picture + (3 * y + c) * width;
            const uint8_t *below = y + 1 < height ? above + 3 * width : above;
            unsigned last = 2u * (above[width - 1] + below[width - 1]);
            for (size_t x = 0; x < width; x += AT_ONCE) {
                size_t n = width - x < AT_ONCE ? width - x : AT_ONCE;
                __m512i one = _mm512_maskz_loadu_epi8(bits_of(n), above + x);
                __m512i other = _mm512_maskz_loadu_epi8(bits_of(n), below + x);
                _mm256_mask_storeu_epi8(to + x / 2, (__mmask32)bits_of((n + 1) / 2), means_of(one, other));
            }
            if (width % 2)
                to[columns - 1] = (uint8_t)((last + 2) / 4);
        }
}

_Static_assert(FRACTION == 32, "what is shifted by five bits");

/* 16 values of a row from x on, of which `mask` are there. */
PLANAR_INLINE __m512i wide(const uint8_t *row, __mmask16 mask)
{
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, row));
}

/* The sums of the columns of a row of cells, a pixel's three and a zero at a time. */
PLANAR_INLINE void add_down(const uint8_t *picture, size_t width, const Edges *down, size_t cell, uint32_t *strip)
{
    const uint8_t *first = picture + 3 * width * down->before[cell];
    const uint8_t *last = picture + 3 * width * down->before[cell + 1];
    __m512i into_first = _mm512_set1_epi32((int)down->into[cell]);
    __m512i into_last = _mm512_set1_epi32((int)down->into[cell + 1]);
    for (size_t x = 0; x < width; x += 16) {
        __mmask16 mask = (__mmask16)bits_of(width - x < 16 ? width - x : 16);
        __m512i sums[3], low, high, low2, high2, pixels[4], zero = _mm512_setzero_si512();
        for (size_t c = 0; c < 3; c++) {
            size_t at = c * width + x;
            __m512i sum = zero;
            for (const uint8_t *row = first; row < last; row += 3 * width)
                sum = _mm512_add_epi32(sum, wide(row + at, mask));
            sum = _mm512_slli_epi32(sum, 5);
            sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(into_last, wide(last + at, mask)));
            sums[c] = _mm512_sub_epi32(sum, _mm512_mullo_epi32(into_first, wide(first + at, mask)));
        }
        /* In each quarter four pixels one after the other, and then the quarters. */
        low = _mm512_unpacklo_epi32(sums[0], sums[1]), high = _mm512_unpackhi_epi32(sums[0], sums[1]);
        low2 = _mm512_unpacklo_epi32(sums[2], zero), high2 = _mm512_unpackhi_epi32(sums[2], zero);
        pixels[0] = _mm512_unpacklo_epi64(low, low2), pixels[1] = _mm512_unpackhi_epi64(low, low2);
        pixels[2] = _mm512_unpacklo_epi64(high, high2), pixels[3] = _mm512_unpackhi_epi64(high, high2);
        __m512i a = _mm512_shuffle_i32x4(pixels[0], pixels[1], 0x44);
        __m512i b = _mm512_shuffle_i32x4(pixels[2], pixels[3], 0x44);
        __m512i c = _mm512_shuffle_i32x4(pixels[0], pixels[1], 0xEE);
        __m512i d = _mm512_shuffle_i32x4(pixels[2], pixels[3], 0xEE);
        _mm512_storeu_si512(strip + 4 * x, _mm512_shuffle_i32x4(a, b, 0x88));
        _mm512_storeu_si512(strip + 4 * x + 16, _mm512_shuffle_i32x4(a, b, 0xDD));
        _mm512_storeu_si512(strip + 4 * x + 32, _mm512_shuffle_i32x4(c, d, 0x88));
        _mm512_storeu_si512(strip + 4 * x + 48, _mm512_shuffle_i32x4(c, d, 0xDD));
    }
}

/* As draw of measure.c, of pictures that were halved. */
PLANAR static void draw_planes(const uint8_t *picture, size_t width, const Edges *down, const Edges *across,
                               uint32_t *strip, const uint8_t *order, Measured *found)
{
    double scales[2][SIDE];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < SIDE; j++)
            scales[i][j] = scale_of(down->least + i, across->length[j]);
    const __m128i ordered = _mm_setr_epi8((char)(4 * order[0]), (char)(4 * order[1]), (char)(4 * order[2]), -1,
                                          -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    for (size_t i = 0; i < SIDE; i++) {
        add_down(picture, width, down, i, strip);
        const double *scale = scales[down->length[i] != down->least];
        /* The fourth byte of a pixel is where the next one is put. */
        uint8_t cells[3 * SIDE + 1];
        __m128i sum = _mm_setzero_si128(), last = sum, at_edge, cell;
        for (size_t j = 0, x = 0; j <= SIDE; j++, last = at_edge) {
            for (; x < across->before[j]; x++)
                sum = _mm_add_epi32(sum, _mm_loadu_si128((const __m128i *)(const void *)(strip + 4 * x)));
            cell = _mm_loadu_si128((const __m128i *)(const void *)(strip + 4 * x));
            cell = _mm_mullo_epi32(_mm_set1_epi32((int)across->into[j]), cell);
            at_edge = _mm_add_epi32(_mm_slli_epi32(sum, 5), cell);
            if (j == 0)
                continue;
            __m256d mean = _mm256_cvtepi32_pd(_mm_sub_epi32(at_edge, last));
            mean = _mm256_add_pd(_mm256_mul_pd(mean, _mm256_set1_pd(scale[j - 1])), _mm256_set1_pd(0.5));
            cell = _mm256_cvttpd_epi32(mean);
            int32_t pixel = _mm_cvtsi128_si32(_mm_shuffle_epi8(cell, ordered));
            memcpy(cells + 3 * (j - 1), &pixel, sizeof pixel);
        }
        memcpy(found->thumbnail[i], cells, 3 * SIDE);
    }
}

PLANAR static int draw_by_plane(uint8_t *half, size_t height, size_t width, const uint8_t *order, Measured *found)
{
    size_t rows = (height + 1) / 2, columns = (width + 1) / 2;
    unsigned halvings = 1;
    for (; rows >= LARGE && columns >= LARGE; halvings++) {
        halve_planes(half, rows, columns);
        rows = (rows + 1) / 2, columns = (columns + 1) / 2;
    }
    Edges down, across;
    find_edges(&down, height, halvings, rows);
    find_edges(&across, width, halvings, columns);
    /* Room for whole sixteens of pixels. */
    uint32_t *space = malloc(4 * ((columns + 15) / 16 * 16) * sizeof *space);
    if (space != NULL)
        draw_planes(half, columns, &down, &across, space, order, found);
    free(space);
    return space == NULL;
}
