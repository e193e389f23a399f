/** Paths on a grid of 16, drawn with a line of 1.5. */
const PATHS = {
  cluster: "M2 8h3m6 0h3M5 4.5h6v7H5zM8 4.5V2M8 14v-2.5",
  chat: "M2.5 3h11v8h-6l-3 2.5V11h-2z",
  batches: "M2.5 3.5h11M2.5 8h11M2.5 12.5h7",
  plan: "M2.5 13.5v-4h3v4zM6.5 13.5v-7h3v7zM10.5 13.5v-11h3v11z",
  keys: "M8.5 7.5 13.5 2.5m-2 2 1.5 1.5M9.5 9.75a3 3 0 1 1-3-3 3 3 0 0 1 3 3z",
  requests: "M2.5 4h3.5M2.5 8h7M2.5 12h11M9 4h4.5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  stop: "M4 4h8v8H4z",
  send: "M8 13V3M4 7l4-4 4 4",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  edit: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  auto: "M8 2.5v11a5.5 5.5 0 0 0 0-11zM8 2.5a5.5 5.5 0 0 0 0 11",
  light:
    "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1",
  dark: "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  sliders: "M2.5 5h6m3 0h2M2.5 11h2m3 0h6M8.5 3.5v3h3v-3zM4.5 9.5v3h3v-3z",
  download: "M8 2.5v8M4.5 7 8 10.5 11.5 7M3 13.5h10",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5v9l7-4.5z",
  upload: "M8 10.5v-8M4.5 6 8 2.5 11.5 6M3 13.5h10",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d={PATHS[name]} />
  </svg>
);
