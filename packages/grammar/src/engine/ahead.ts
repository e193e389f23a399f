/**
 * How a text can go on under its grammar, as i32 in memory that threads may share. See AheadParts.
 */
export type Ahead = Int32Array;

/** The distance of a byte that may not follow. */
export const NEVER = 0x3fffffff;

export const BYTES = 256;
/** Most bytes of the shortest end that are told: few tokens have more. */
export const LONGEST_PATH = 32;
const AT = { isKnown: 0, owed: 1, risk: 2, near: 3, calm: 3 + BYTES, pathLength: 3 + 2 * BYTES, path: 4 + 2 * BYTES };
export const AHEAD_LENGTH = AT.path + LONGEST_PATH;

export interface AheadParts {
  /** Bytes of the shortest end of the text. */
  readonly owed: number;
  /** The most by which one byte can lead away from the end, now or later. */
  readonly risk: number;
  /** i32 [BYTES]: bytes of the shortest end that begins with each byte; NEVER for one that may not follow. */
  readonly near: Int32Array;
  /** i32 [BYTES]: the same if the text takes the longest of the ways behind the byte; NEVER where one has a risk. */
  readonly calm: Int32Array;
  /** The next bytes of the shortest end, as far as only one leads there. */
  readonly path: readonly number[];
}

export const newAhead = (): Ahead => new Int32Array(AHEAD_LENGTH);

export function writeAhead(ahead: Ahead, { owed, risk, near, calm, path }: AheadParts): Ahead {
  ahead[AT.isKnown] = 1;
  ahead[AT.owed] = owed;
  ahead[AT.risk] = Math.min(risk, NEVER);
  ahead.set(near, AT.near);
  ahead.set(calm, AT.calm);
  ahead[AT.pathLength] = Math.min(path.length, LONGEST_PATH);
  ahead.set(path.slice(0, LONGEST_PATH), AT.path);
  return ahead;
}

/** undefined where nothing is known. */
export function readAhead(ahead: Ahead): AheadParts | undefined {
  if (ahead[AT.isKnown] !== 1) return undefined;
  return {
    owed: ahead[AT.owed] ?? NEVER,
    risk: ahead[AT.risk] ?? 0,
    near: ahead.subarray(AT.near, AT.near + BYTES),
    calm: ahead.subarray(AT.calm, AT.calm + BYTES),
    path: [...ahead.subarray(AT.path, AT.path + (ahead[AT.pathLength] ?? 0))],
  };
}
