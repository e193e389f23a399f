declare const address: unique symbol;

/** An address in native memory. It never leaves this package. */
export type Pointer = bigint & { readonly [address]: true };

/**
 * Key of a handle's native side: `tensor[native]` is its address, `backend[native]` what storages and graphs need of
 * it. The package's index does not export the key, so that only this package reaches behind a handle.
 */
export const native: unique symbol = Symbol("native");
