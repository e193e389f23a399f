/** What a service tells the launcher that started it, over Node's IPC channel. */
export type Announcement =
  | {
      readonly kind: "listening";
      readonly service: string;
      /** host:port of each listener, by name. */
      readonly addresses: Readonly<Record<string, string>>;
    }
  | { readonly kind: "fatal"; readonly code: string; readonly message: string };

/** Tells the launcher, if there is one. */
export function announce(message: Announcement): void {
  process.send?.(message);
}
