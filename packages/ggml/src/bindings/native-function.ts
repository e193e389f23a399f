import type { LibraryHandle } from "koffi";
import type { Pointer } from "./pointer.js";

/** The TypeScript type of each C type in the tables beside this file. `maybe` is a pointer that may be NULL. */
interface NativeTypes {
  void: undefined;
  bool: boolean;
  int: number;
  uint8_t: number;
  int32_t: number;
  uint32_t: number;
  int64_t: number;
  size_t: number;
  float: number;
  str: string;
  ptr: Pointer;
  maybe: Pointer | null;
}

/** Like a result, except that pointer arguments also take JavaScript memory, passed without a copy. */
type NativeArgument<T> = T extends "ptr"
  ? Pointer | ArrayBufferView
  : T extends "maybe"
    ? Pointer | ArrayBufferView | null
    : NativeValue<T>;
type NativeValue<T> = T extends keyof NativeTypes
  ? NativeTypes[T]
  : T extends NativeStruct<infer Shape>
    ? Shape
    : never;
type NativeArguments<A extends readonly NativeType[]> = { [K in keyof A]: NativeArgument<A[K]> };

/** A structure passed by value, with its TypeScript type. */
export interface NativeStruct<Shape> {
  readonly definition: any;
  readonly shape?: Shape;
}
export type NativeType = keyof NativeTypes | NativeStruct<unknown>;

export interface NativeFunction<A extends readonly NativeType[], R extends NativeType> {
  (...args: NativeArguments<A>): NativeValue<R>;
  /** The same call on another thread, off the event loop. */
  async(...args: [...NativeArguments<A>, (error: unknown, result: NativeValue<R>) => void]): void;
}

export type Declare = <R extends NativeType, const A extends readonly NativeType[]>(
  result: R,
  name: string,
  args: A,
) => NativeFunction<A, R>;

/** koffi's name for `type`. */
export const koffiType = (type: NativeType): any =>
  typeof type === "object" ? type.definition : type === "ptr" || type === "maybe" ? "void *" : type;

/** Declares functions of `library`. Throws koffi's own error when the library lacks one. */
export const declareIn =
  (library: LibraryHandle): Declare =>
  (result, name, args) =>
    library.func(name, koffiType(result), args.map(koffiType)) as any;
