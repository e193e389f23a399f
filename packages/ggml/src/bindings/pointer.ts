declare const native: unique symbol;

/** An address in native memory. It never leaves this package. */
export type Pointer = bigint & { readonly [native]: true };
