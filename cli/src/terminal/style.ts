/** Styles of text, which do nothing where colours are off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

const ansi = (on: number, off: number) => (text: string) => `\x1b[${on}m${text}\x1b[${off}m`;
const plain = (text: string) => text;

const COLOURED: Style = {
  bold: ansi(1, 22),
  dim: ansi(2, 22),
  red: ansi(31, 39),
  green: ansi(32, 39),
  yellow: ansi(33, 39),
};
const PLAIN: Style = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain };

/** Colours on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function styleFor(stream: { readonly isTTY?: boolean }, noColor: string | undefined): Style {
  return stream.isTTY === true && noColor === undefined ? COLOURED : PLAIN;
}
