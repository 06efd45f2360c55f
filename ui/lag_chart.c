#include <stdio.h>

#include "base/clock.h"
#include "ui/canvas.h"
#include "ui/lag_board.h"
#include "ui/lag_draw.h"
#include "ui/number.h"
#include "ui/text.h"

#define AXIS_COLUMNS 8 /* in front of the bars: " 173.8k ┤" */
#define LEVELS       8

/* The worst value of the slots that cell `cell` of `columns` covers; below 0: unknown. */
static float
cell_value(const struct lag_row *row, int64_t head_slot, int cell, int columns, bool in_seconds)
{
    int64_t first = head_slot - (int64_t)LAG_SLOTS + 1;
    int64_t from = first + (int64_t)cell * LAG_SLOTS / columns;
    int64_t to = first + (int64_t)(cell + 1) * LAG_SLOTS / columns;
    float worst = -1.0F;
    for (int64_t slot = from; slot < to || slot == from; slot++) {
        float value = lag_row_value(row, slot, in_seconds);
        if (value > worst)
            worst = value;
    }
    return worst;
}

static float
highest(const struct lag_row *row, int64_t head_slot, bool in_seconds)
{
    float most = 0.0F;
    for (int64_t i = 0; i < (int64_t)LAG_SLOTS; i++) {
        float value = lag_row_value(row, head_slot - i, in_seconds);
        if (value > most)
            most = value;
    }
    return most;
}

/* In eighths of a cell; at least one for what is known, so that 0 is seen and unknown is not. */
static int
level_of(float value, float most, int levels)
{
    int level = most > 0.0F ? (int)(value / most * (float)levels + 0.5F) : 0;
    return level < 1 ? 1 : level;
}

void
lag_draw_trend(const struct lag_row *row, int64_t head_ns, struct canvas *canvas, int at_row,
    int column, int columns, enum role role)
{
    int64_t head_slot = head_ns / LAG_SLOT_NS;
    bool in_seconds = lag_row_has_ages(row);
    float most = highest(row, head_slot, in_seconds);
    /* What is hardly behind shall look so: the least scale is ten seconds, or their events. */
    float least = in_seconds ? 10.0F : row->in_rate > 0.0 ? (float)row->in_rate * 10.0F : 0.0F;
    if (most < least)
        most = least;

    for (int i = 0; i < columns; i++) {
        float value = cell_value(row, head_slot, i, columns, in_seconds);
        if (value >= 0.0F)
            canvas_set(
                canvas, at_row, column + i, role, 0x2580 + (uint32_t)level_of(value, most, LEVELS));
    }
}

static void
draw_bar(struct canvas *canvas, int bottom, int column, int level, enum role role)
{
    for (int row = bottom; level > 0; row--, level -= LEVELS)
        canvas_set(canvas, row, column, role, 0x2580 + (uint32_t)(level < LEVELS ? level : LEVELS));
}

static void
draw_axis(struct canvas *canvas, int first_row, int rows, float most, bool in_seconds)
{
    char text[NUMBER_TEXT_MAX];
    for (int i = 0; i < rows; i++)
        canvas_set(canvas, first_row + i, AXIS_COLUMNS, ROLE_SECONDARY,
            i == 0 || i == rows - 1 ? 0x2524 : 0x2502);
    if (in_seconds)
        number_seconds((double)most, text);
    else
        number_short((double)most, text);
    text_print_right(canvas, first_row, 0, AXIS_COLUMNS - 1, ROLE_SECONDARY, "%s", text);
    text_print_right(canvas, first_row + rows - 1, 0, AXIS_COLUMNS - 1, ROLE_SECONDARY, "0");
}

/* Whole minutes below the bars, as many as there is room for; the head at the end. */
static void
draw_times(struct canvas *canvas, int row, int columns, int64_t head_ns)
{
    static const int minutes[] = {15, 12, 9, 6, 3, 0};
    char text[CLOCK_TEXT_MAX];

    for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
        if (columns < 90 && minutes[i] == 3)
            continue; /* it would touch the last one */
        int64_t when_ns = head_ns - minutes[i] * INT64_C(60) * NS_PER_S;
        int column = AXIS_COLUMNS + 1 + (int)((15 - minutes[i]) * (columns - 1) / 15);
        clock_format_time(when_ns, 0, text);
        if (minutes[i] == 0)
            column -= 7;
        text_print(canvas, row, column, 8, ROLE_SECONDARY, "%s", text);
    }
}

void
lag_draw_chart(const struct lag_row *row, int64_t head_ns, struct canvas *canvas, int first_row,
    int rows, int columns)
{
    int64_t head_slot = head_ns / LAG_SLOT_NS;
    bool in_seconds = lag_row_has_ages(row);
    float most = highest(row, head_slot, in_seconds);
    int bars = columns - AXIS_COLUMNS - 2;
    int height = rows - 1;

    if (height < 1 || bars < 10)
        return;
    draw_axis(canvas, first_row, height, most, in_seconds);
    for (int i = 0; i < bars; i++) {
        float value = cell_value(row, head_slot, i, bars, in_seconds);
        if (value >= 0.0F)
            draw_bar(canvas, first_row + height - 1, AXIS_COLUMNS + 1 + i,
                level_of(value, most, height * LEVELS), ROLE_TEXT);
    }
    draw_times(canvas, first_row + height, bars, head_ns);
}
