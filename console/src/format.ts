// Numbers and times as people read them.

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** 1_500_000 -> "1.5 MB"; three digits. */
export function bytes(value: number): string {
  let [left, unit] = [Math.max(0, value), 0];
  while (left >= 999.5 && unit < UNITS.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${digits(left)} ${UNITS[unit]}`;
}

/** 12_345 -> "12,345"; 0.256 -> "0.26". */
export function number(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.?0+$/, "");
}

/** 7_241_732_096 -> "7.24 B". */
export function count(value: number): string {
  if (value >= 1e9) return `${digits(value / 1e9)} B`;
  if (value >= 1e6) return `${digits(value / 1e6)} M`;
  return value.toLocaleString("en-US");
}

const digits = (value: number): string => {
  if (value >= 100 || value === 0) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
};

/** Milliseconds: "0.4 ms", "85 ms", "1.42 s", "3 min 20 s". */
export function duration(ms: number): string {
  if (ms < 10) return ms === 0 ? "0 ms" : `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${digits(ms / 1000)} s`;
  return span(ms);
}

/** Whole seconds and more: "12 s", "3 min", "2 h 5 min", "4 d 3 h". */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return s % 60 === 0 || min >= 10 ? `${min} min` : `${min} min ${s % 60} s`;
  const h = Math.floor(min / 60);
  if (h < 48) return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`;
  return h % 24 === 0 ? `${h / 24} d` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** Unix milliseconds as the reader's time of day. */
export const time = (atMs: number): string => new Date(atMs).toLocaleTimeString("en-GB");

/** Unix milliseconds as the reader's date and time. */
export const moment = (atMs: number): string => {
  const at = new Date(atMs);
  const day = at.toLocaleDateString("en-CA");
  return `${day} ${at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
};

/** 0.256 -> "26 %" */
export const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** [0, 8) -> "0–7" */
export const layers = ([first, last]: readonly [number, number]): string =>
  last - first === 1 ? `${first}` : `${first}–${last - 1}`;
