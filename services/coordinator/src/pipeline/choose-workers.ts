/**
 * Which workers take the stages, in order. Those that held a stage of the last plan keep their place, so that they may
 * keep their weights; free places go to the others in order of joining. Fewer members than places: null.
 */
export function chooseWorkers(
  members: readonly string[],
  places: number,
  lastPlan: readonly string[],
): readonly string[] | null {
  if (members.length < places) return null;
  const known = new Set(members);
  const kept = Array.from({ length: places }, (_, index) => lastPlan[index]).map((worker) =>
    worker !== undefined && known.has(worker) ? worker : undefined,
  );
  const taken = new Set(kept);
  const others = members.filter((worker) => !taken.has(worker));
  return kept.map((worker) => worker ?? others.shift() ?? "");
}
