import type { LibraryHandle } from "koffi";
import type { Pointer } from "./pointer.js";

/** What each C type of the tables beside this file is in TypeScript. `maybe` is a pointer that the function may return as NULL. */
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

/** Arguments differ from results only for pointers: memory of ours goes in as a view, without a copy, and NULL is allowed. */
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

/** A structure passed by value. `Shape` is how it looks in TypeScript. */
export interface NativeStruct<Shape> {
  readonly definition: any;
  readonly shape?: Shape;
}
export type NativeType = keyof NativeTypes | NativeStruct<unknown>;

export interface NativeFunction<A extends readonly NativeType[], R extends NativeType> {
  (...args: NativeArguments<A>): NativeValue<R>;
  /** The same call on a thread of its own; the event loop goes on. */
  async(...args: [...NativeArguments<A>, (error: unknown, result: NativeValue<R>) => void]): void;
}

export type Declare = <R extends NativeType, const A extends readonly NativeType[]>(
  result: R,
  name: string,
  args: A,
) => NativeFunction<A, R>;

/** `type` in koffi's words. */
export const koffiType = (type: NativeType): any =>
  typeof type === "object" ? type.definition : type === "ptr" || type === "maybe" ? "void *" : type;

/** Declares functions of `library`. Throws koffi's own error when the library lacks one. */
export const declareIn =
  (library: LibraryHandle): Declare =>
  (result, name, args) =>
    library.func(name, koffiType(result), args.map(koffiType)) as any;
