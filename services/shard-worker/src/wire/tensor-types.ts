import { GgmlType } from "@rhone/ggml";
import { rhone } from "@rhone/proto";
import { refuse } from "./malformed.js";

const { ActivationType, KvType } = rhone.v1;

const ACTIVATIONS: ReadonlyMap<rhone.v1.ActivationType, GgmlType> = new Map([
  [ActivationType.ACTIVATION_F32, GgmlType.F32],
  [ActivationType.ACTIVATION_F16, GgmlType.F16],
  [ActivationType.ACTIVATION_Q8_0, GgmlType.Q8_0],
]);

const KEYS_AND_VALUES: ReadonlyMap<rhone.v1.KvType, GgmlType> = new Map([
  [KvType.KV_F32, GgmlType.F32],
  [KvType.KV_F16, GgmlType.F16],
  [KvType.KV_Q8_0, GgmlType.Q8_0],
]);

/** Throws MESSAGE_MALFORMED for a type that this release does not know. */
export const activationTypeOf = (type: rhone.v1.ActivationType, field: string): GgmlType =>
  ACTIVATIONS.get(type) ?? refuse(field, `is ${type}, a type that this release does not know`);

/** Throws MESSAGE_MALFORMED for a type that this release does not know. */
export const kvTypeOf = (type: rhone.v1.KvType, field: string): GgmlType =>
  KEYS_AND_VALUES.get(type) ?? refuse(field, `is ${type}, a type that this release does not know`);

/** The wire's name of an activation type. */
export function activationTypeOnWire(type: GgmlType): rhone.v1.ActivationType {
  for (const [onWire, known] of ACTIVATIONS) if (known === type) return onWire;
  throw new RangeError(`activations are never of ggml's type ${type}`);
}
