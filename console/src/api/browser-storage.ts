type Place = "sessionStorage" | "localStorage";

/** What the browser keeps by a name; "" = nothing. Where it may keep nothing (cookies are blocked), a look throws. */
export function kept(place: Place, name: string): string {
  try {
    return globalThis[place].getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** Keeps a text by a name, where the browser may; "" = no longer. */
export function keep(place: Place, name: string, text: string): void {
  try {
    if (text === "") globalThis[place].removeItem(name);
    else globalThis[place].setItem(name, text);
  } catch {
    // The page itself knows it until it is left.
  }
}
