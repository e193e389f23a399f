/** Characters of a peer's text that are worth logging. */
const MOST = 2000;

/**
 * Somebody else's text as far as it is worth repeating, "" for none: its first `most` characters, and no half of one,
 * which no protocol could carry.
 */
export function clipped(text: string | null | undefined, most = MOST): string {
  const whole = text ?? "";
  const part = Buffer.from(whole.slice(0, most)).toString();
  return whole.length > most ? `${part}…` : part;
}
