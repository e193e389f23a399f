const MARK = "\u0000text\u0000";

/** The JSON of `make(text)` for any text; all but the text is serialized once. `make` puts its argument in one place, unchanged. */
export function chunkTemplate(make: (text: string) => unknown): (text: string) => string {
  const [before = "", after = ""] = JSON.stringify(make(MARK)).split(JSON.stringify(MARK));
  return (text) => before + JSON.stringify(text) + after;
}
