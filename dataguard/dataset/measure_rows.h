/* The part of measure.c that goes through pixels, in vectors of VALUES bytes: included once for each kind of processor,
 * whose own width VALUES is, for compilers make little of vectors that are wider. */

#define JOIN(name, values) name##_##values
#define NAMED(name, values) JOIN(name, values)
#define Words NAMED(Words, VALUES)
#define Pixels NAMED(Pixels, VALUES)
#define Down NAMED(Down, VALUES)
#define Lanes NAMED(Lanes, VALUES)
#define every_other NAMED(every_other, VALUES)
#define take_apart NAMED(take_apart, VALUES)
#define add_lanes NAMED(add_lanes, VALUES)
#define add_values NAMED(add_values, VALUES)
#define empty_lanes NAMED(empty_lanes, VALUES)
#define sum_at NAMED(sum_at, VALUES)
#define add_words NAMED(add_words, VALUES)
#define pair_up NAMED(pair_up, VALUES)
#define add_up NAMED(add_up, VALUES)
#define add_rows NAMED(add_rows, VALUES)
#define halve NAMED(halve, VALUES)
#define draw_halves NAMED(draw_halves, VALUES)
#define add_up_of NAMED(add_up_of, VALUES)
#define draw_halves_of NAMED(draw_halves_of, VALUES)

typedef uint16_t Words __attribute__((vector_size(VALUES)));
#if VALUES == 64 && HAVE_SHUFFLES
typedef uint8_t Pixels __attribute__((vector_size(VALUES)));
#endif

/* Every other pixel of a row, from the first on. */
INLINE void every_other(const uint8_t *from, uint8_t *to, size_t columns, size_t channels)
{
    size_t x = 0;
#if VALUES == 64 && HAVE_SHUFFLES
    if (channels == 3)
        for (; x + 64 <= columns; x += 64) {
            Pixels a, b, c, first, rest;
            memcpy(&a, from + 3 * x, 64);
            memcpy(&b, from + 3 * x + 64, 64);
            memcpy(&c, from + 3 * x + 128, 64);
            first = __builtin_shufflevector(a, b,
                0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20, 24, 25, 26, 30, 31, 32, 36, 37, 38, 42, 43,
                44, 48, 49, 50, 54, 55, 56, 60, 61, 62, 66, 67, 68, 72, 73, 74, 78, 79, 80, 84, 85, 86,
                90, 91, 92, 96, 97, 98, 102, 103, 104, 108, 109, 110, 114, 115, 116, 120, 121, 122, 126);
            rest = __builtin_shufflevector(b, c,
                63, 64, 68, 69, 70, 74, 75, 76, 80, 81, 82, 86, 87, 88, 92, 93, 94, 98, 99, 100, 104,
                105, 106, 110, 111, 112, 116, 117, 118, 122, 123, 124, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
            memcpy(to + 3 * x / 2, &first, 64);
            memcpy(to + 3 * x / 2 + 64, &rest, 32);
        }
#endif
#if HAVE_SHUFFLES
    if (channels == 3)
        for (; x + 16 <= columns; x += 16) {
            Bytes a, b, c, first, rest;
            memcpy(&a, from + 3 * x, 16);
            memcpy(&b, from + 3 * x + 16, 16);
            memcpy(&c, from + 3 * x + 32, 16);
            first = __builtin_shufflevector(a, b, 0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20, 24, 25, 26, 30);
            rest = __builtin_shufflevector(b, c, 15, 16, 20, 21, 22, 26, 27, 28, 0, 0, 0, 0, 0, 0, 0, 0);
            memcpy(to + 3 * x / 2, &first, 16);
            memcpy(to + 3 * x / 2 + 16, &rest, 8);
        }
    if (channels == 1)
        for (; x + 32 <= columns; x += 32) {
            Bytes a, b, kept;
            memcpy(&a, from + x, 16);
            memcpy(&b, from + x + 16, 16);
            kept = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            memcpy(to + x / 2, &kept, 16);
        }
    if (channels == 4)
        for (; x + 8 <= columns; x += 8) {
            Bytes a, b, kept;
            memcpy(&a, from + 4 * x, 16);
            memcpy(&b, from + 4 * x + 16, 16);
            kept = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
            memcpy(to + 2 * x, &kept, 16);
        }
#endif
    for (; x < columns; x += 2)
        memcpy(to + x / 2 * channels, from + x * channels, channels);
}

/* The sums of two rows, one value above the other: those of values 0, 2, 4, ... and those of values 1, 3, 5, .... */
typedef struct {
    uint16_t even[TILE * CHANNELS / 2 + VALUES], odd[TILE * CHANNELS / 2 + VALUES];
} Down;

/* What has been added up of the values that lie in one place of every so many vectors; see add_up. */
typedef struct {
    Words sums, squares, highs;
} Lanes;

/* So many values, VALUES at most, and zeros: the even ones and the odd ones. `end` is where reading has to stop. */
INLINE void take_apart(const uint8_t *from, size_t values, const uint8_t *end, Words *even, Words *odd)
{
    Words pairs = {0}, kept;
    if (values == VALUES || (size_t)(end - from) >= VALUES) {
        memcpy(&pairs, from, VALUES);
        if (values < VALUES) {
            memcpy(&kept, KEPT + LARGEST - values, VALUES);
            pairs &= kept;
        }
    } else
        memcpy(&pairs, from, values);
    *even = pairs & 0xFF;
    *odd = pairs >> 8;
}

INLINE void add_lanes(const Words *above, const Words *below, uint16_t *down, Lanes *lanes)
{
    Words a = *above, b = *below, aa = a * a, bb = b * b, both = a + b;
    lanes->sums += both;
    lanes->squares += aa + bb;
    lanes->highs += (aa >> 8) + (bb >> 8);
    memcpy(down, &both, sizeof both);
}

/* Adds so many values of two rows, from value `at` on, VALUES at most. */
INLINE void add_values(const uint8_t *above, const uint8_t *end_above, const uint8_t *below, const uint8_t *end_below,
                       size_t at, size_t values, Down *down, Lanes *even, Lanes *odd)
{
    Words above_even, above_odd, below_even, below_odd;
    take_apart(above + at, values, end_above, &above_even, &above_odd);
    take_apart(below + at, values, end_below, &below_even, &below_odd);
    add_lanes(&above_even, &below_even, down->even + at / 2, even);
    add_lanes(&above_odd, &below_odd, down->odd + at / 2, odd);
}

/* Adds what lanes hold to `sums` and `squares`, and empties them. */
INLINE void empty_lanes(Lanes *lanes, uint64_t *sums, uint64_t *squares)
{
    uint16_t low[VALUES / 2], square[VALUES / 2], high[VALUES / 2];
    memcpy(low, &lanes->sums, sizeof low);
    memcpy(square, &lanes->squares, sizeof square);
    memcpy(high, &lanes->highs, sizeof high);
    for (size_t i = 0; i < VALUES / 2; i++) {
        uint32_t highest = 256 * (uint32_t)high[i];
        sums[i] += low[i];
        squares[i] += highest + (uint16_t)(square[i] - highest);
    }
    memset(lanes, 0, sizeof *lanes);
}

INLINE uint16_t *sum_at(Down *down, size_t value)
{
    return (value % 2 ? down->odd : down->even) + value / 2;
}

INLINE void add_words(const uint16_t *one, const uint16_t *other, Words *sum)
{
    Words a, b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    *sum = a + b;
}

/* The means of 2x2 pixels, from sums of two pixels one below the other. The last column of an odd number counts twice. */
INLINE void pair_up(Down *down, uint8_t *to, size_t columns, size_t channels)
{
    uint8_t means[TILE * CHANNELS + VALUES];
    for (size_t c = 0; c < channels; c++)
        *sum_at(down, columns * channels + c) = *sum_at(down, (columns - 1) * channels + c);
    /* Each pixel with the one to its right is what vectors are good at; every other of them is wanted. */
    for (size_t x = 0; x < columns * channels; x += VALUES) {
        Words even, odd;
        add_words(down->even + x / 2, sum_at(down, x + channels), &even);
        add_words(down->odd + x / 2, sum_at(down, x + channels + 1), &odd);
        even = ((even + 2) >> 2) | ((odd + 2) >> 2) << 8;
        memcpy(means + x, &even, sizeof even);
    }
    every_other(means, to, columns, channels);
}

/* Adds to the sums and to the sums of squares; and halves, unless `half` is NULL.
 *
 * Values are taken VALUES at a time, so that with three channels the same channel is in the same place of every third
 * vector, and otherwise of every one. Sixteen bits are enough for 256 of them. A sum of bytes is at most 256 * 255 =
 * 65,280. A sum S of squares is 256 H + L, where H adds up their high bytes, which are at most 254, and L their low
 * ones: each is at most 65,280. H is kept, and S modulo 2^16; L is S - 256 H modulo 2^16. */
INLINE void add_up(const uint8_t *pixels, uint8_t *half, size_t height, size_t width, size_t channels, Measured *found)
{
    const size_t phases = channels == 3 ? 3 : 1, rows_at_a_time = 2 * (128 / (TILE * channels / phases / VALUES));
    const uint8_t *end = pixels + height * width * channels;
    uint64_t sums[3][2][VALUES / 2] = {0}, squares[3][2][VALUES / 2] = {0};
    Down down;
    for (size_t left = 0; left < width; left += TILE) {
        size_t columns = width - left < TILE ? width - left : TILE;
        size_t values = columns * channels;
        for (size_t top = 0; top < height; top += rows_at_a_time) {
            size_t bottom = height - top < rows_at_a_time ? height : top + rows_at_a_time;
            Lanes lanes[3][2] = {0};
            for (size_t y = top; y < bottom; y += 2) {
                const uint8_t *above = pixels + (y * width + left) * channels, *below = above + width * channels;
                const uint8_t *end_below = end;
                if (y + 1 == height)
                    below = NOTHING, end_below = NOTHING + sizeof NOTHING;
                for (size_t phase = 0; phase < phases; phase++) {
                    Lanes even = lanes[phase][0], odd = lanes[phase][1];
                    size_t at = phase * VALUES;
                    for (; at + VALUES <= values; at += phases * VALUES)
                        add_values(above, end, below, end_below, at, VALUES, &down, &even, &odd);
                    if (at < values)
                        add_values(above, end, below, end_below, at, values - at, &down, &even, &odd);
                    lanes[phase][0] = even, lanes[phase][1] = odd;
                }
                if (half != NULL) {
                    /* The last row of an odd number counts twice. */
                    if (y + 1 == height)
                        for (size_t x = 0; x < values; x++)
                            *sum_at(&down, x) *= 2;
                    pair_up(&down, half + (y / 2 * ((width + 1) / 2) + left / 2) * channels, columns, channels);
                }
            }
            for (size_t phase = 0; phase < phases; phase++)
                for (size_t i = 0; i < 2; i++)
                    empty_lanes(&lanes[phase][i], sums[phase][i], squares[phase][i]);
        }
    }
    for (size_t value = 0; value < phases * VALUES; value++) {
        size_t phase = value / VALUES, place = value % VALUES;
        found->sums[value % channels] += sums[phase][place % 2][place / 2];
        found->squares[value % channels] += squares[phase][place % 2][place / 2];
    }
}

INLINE void add_rows(const uint8_t *above, const uint8_t *below, const uint8_t *end, size_t at, size_t values,
                     Down *down)
{
    Words above_even, above_odd, below_even, below_odd;
    take_apart(above + at, values, end, &above_even, &above_odd);
    take_apart(below + at, values, end, &below_even, &below_odd);
    above_even += below_even, above_odd += below_odd;
    memcpy(down->even + at / 2, &above_even, sizeof above_even);
    memcpy(down->odd + at / 2, &above_odd, sizeof above_odd);
}

/* The 2x2 means, in place: no mean is written before the pixels that lie there have been read. */
INLINE void halve(uint8_t *picture, size_t height, size_t width, size_t channels)
{
    const uint8_t *end = picture + height * width * channels;
    Down down;
    for (size_t y = 0; y < height; y += 2)
        for (size_t left = 0; left < width; left += TILE) {
            size_t columns = width - left < TILE ? width - left : TILE;
            const uint8_t *above = picture + (y * width + left) * channels;
            const uint8_t *below = y + 1 < height ? above + width * channels : above;
            size_t x = 0, values = columns * channels;
            for (; x + VALUES <= values; x += VALUES)
                add_rows(above, below, end, x, VALUES, &down);
            if (x < values)
                add_rows(above, below, end, x, values - x, &down);
            pair_up(&down, picture + (y / 2 * ((width + 1) / 2) + left / 2) * channels, columns, channels);
        }
}

INLINE int draw_halves(uint8_t *half, const uint8_t *pixels, size_t height, size_t width, size_t channels,
                       const uint8_t *order, Measured *found)
{
    size_t rows = height, columns = width;
    unsigned halvings = 0;
    if (half != NULL)
        for (;;) {
            rows = (rows + 1) / 2, columns = (columns + 1) / 2, halvings++;
            if (rows < LARGE || columns < LARGE)
                break;
            halve(half, rows, columns, channels);
        }
    Edges down, across;
    find_edges(&down, height, halvings, rows);
    find_edges(&across, width, halvings, columns);
    uint32_t *space = malloc((3 * columns + 1) * channels * sizeof *space);
    if (space != NULL)
        draw(half == NULL ? pixels : half, columns, channels, &down, &across, space, order, found);
    free(space);
    return space == NULL;
}

INLINE void add_up_of(const uint8_t *pixels, uint8_t *half, size_t rows, size_t width, size_t channels, Measured *found)
{
    switch (channels) {
    case 1: add_up(pixels, half, rows, width, 1, found); break;
    case 2: add_up(pixels, half, rows, width, 2, found); break;
    case 3: add_up(pixels, half, rows, width, 3, found); break;
    default: add_up(pixels, half, rows, width, 4, found); break;
    }
}

INLINE int draw_halves_of(uint8_t *half, const uint8_t *pixels, size_t height, size_t width, size_t channels,
                          const uint8_t *order, Measured *found)
{
    switch (channels) {
    case 1: return draw_halves(half, pixels, height, width, 1, order, found);
    case 2: return draw_halves(half, pixels, height, width, 2, order, found);
    case 3: return draw_halves(half, pixels, height, width, 3, order, found);
    default: return draw_halves(half, pixels, height, width, 4, order, found);
    }
}

#undef JOIN
#undef NAMED
#undef Words
#undef Pixels
#undef Down
#undef Lanes
#undef every_other
#undef take_apart
#undef add_lanes
#undef add_values
#undef empty_lanes
#undef sum_at
#undef add_words
#undef pair_up
#undef add_up
#undef add_rows
#undef halve
#undef draw_halves
#undef add_up_of
#undef draw_halves_of
#undef VALUES
