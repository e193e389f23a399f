import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { repaint } from "./theme.ts";

export interface ChartLine {
  readonly label: string;
  /** A custom property of the page, such as "--line-1". */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  /** Filled below the line. */
  readonly filled?: boolean;
  /** Points alone, for values that come now and then. */
  readonly points?: boolean;
}

interface ChartProps {
  readonly label: string;
  /** Unix milliseconds. */
  readonly atMs: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly format: (value: number) => string;
  readonly height?: number;
  /** The values are whole numbers. */
  readonly whole?: boolean;
}

const SECONDS = 1000;
/** What the axis of time shows at least. */
const SPAN_S = 120;

/** Lines over time, the latest at the right. What they say last is in words, too. */
export function Chart({ label, atMs, lines, format, height = 132, whole = false }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const painted = repaint.value;
  const data = [atMs.map((ms) => ms / SECONDS), ...lines.map(({ values }) => values)] as uPlot.AlignedData;

  // Lines keep their number and colours, and data changes below.
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const size = { width: element.clientWidth, height };
    plot.current = new uPlot(optionsOf({ lines, format, whole }, size, coloursOf(element)), data, element);
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
    };
  }, [painted, height]);
  useEffect(() => plot.current?.setData(data), [data]);

  const said = lines.map(({ label: line, values }) => {
    const last = values.findLast((value) => value !== null);
    return { line, text: last == null ? "none yet" : format(last) };
  });
  return (
    <figure class="chart">
      <figcaption>
        {lines.map(({ label: line, colour }, index) => (
          <span key={line} class="legend">
            <i style={{ background: `var(${colour})` }} />
            {line} <b>{said[index]?.text}</b>
          </span>
        ))}
      </figcaption>
      <div
        ref={place}
        class="chart-place"
        style={{ height: `${height}px` }}
        role="img"
        aria-label={`${label}: ${said.map(({ line, text }) => `${line} ${text}`).join(", ")}`}
      />
    </figure>
  );
}

/** How opaque the space below a line is, of 1. */
const FILLED = 0.13;

/** The page's colours by the names of their properties, as a canvas takes them, which does not know `light-dark()`. */
function coloursOf(element: HTMLElement): (name: string, share?: number) => string {
  return (name, share = 1) => {
    element.style.color = `color-mix(in srgb, var(${name}) ${100 * share}%, transparent)`;
    const { color } = getComputedStyle(element);
    element.style.removeProperty("color");
    return color;
  };
}

/** Steps between two lines of the grid. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

function optionsOf(
  { lines, format, whole }: Pick<ChartProps, "lines" | "format"> & { readonly whole: boolean },
  size: { readonly width: number; readonly height: number },
  colour: (name: string, share?: number) => string,
): uPlot.Options {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: colour("--hairline"), width: 1 };
  const axis = { stroke: colour("--muted"), font, ticks: { show: false } };
  return {
    ...size,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 26, 0, 0],
    scales: { x: { time: true, range: (_, min, max) => [Math.min(min, max - SPAN_S), max] }, y: { range: fromZero } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 28, gap: 9, values: (_, at) => at.map(clock) },
      {
        ...{ ...axis, grid, space: 32, size: 52, gap: 4 },
        ...(whole && { incrs: WHOLE_STEPS }),
        values: (_, at) => at.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, colour: name, filled, points }) => ({
        label,
        stroke: colour(name),
        width: points === true ? 0 : 1.5,
        ...(filled === true && { fill: colour(name, FILLED) }),
        points: { show: points === true, size: 4, fill: colour(name) },
        spanGaps: true,
      })),
    ],
  };
}

/** From 0 to somewhat above the highest. */
const fromZero = (_: uPlot, __: number, max: number): [number, number] => [0, max > 0 ? max * 1.15 : 1];

const clock = (seconds: number): string => new Date(seconds * SECONDS).toLocaleTimeString("en-GB");
