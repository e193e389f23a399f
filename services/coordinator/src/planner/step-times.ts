// What the scheduler knows of the stages' speed. The arithmetic is shared with `rhone plan`.
export { type PipelineTimes, slowestStageMs, stageMs, sumOfStagesMs } from "@rhone/planner";
