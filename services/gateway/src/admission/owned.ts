import { RhoneError } from "@rhone/common";

/** What belongs to somebody; what says nothing was made where no keys are asked for. */
interface Owned {
  readonly id: string;
  readonly owner?: string;
}

export const isOwnedBy = (owner: string, thing: Pick<Owned, "owner">): boolean => (thing.owner ?? "") === owner;

/** The thing itself, for its owner; NOT_FOUND for anybody else, as if there were none. */
export function owned<T extends Owned>(owner: string, kind: "file" | "batch", thing: T): T {
  if (isOwnedBy(owner, thing)) return thing;
  throw new RhoneError("NOT_FOUND", `There is no ${kind} ${thing.id}.`);
}
