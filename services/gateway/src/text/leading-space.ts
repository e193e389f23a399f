/** Drops one space at the very beginning of a text that comes in pieces, if `on`. */
export function leadingSpaceStripper(on: boolean): (text: string) => string {
  let isBeginning = on;
  return (text) => {
    if (!isBeginning || text === "") return text;
    isBeginning = false;
    return text.startsWith(" ") ? text.slice(1) : text;
  };
}
