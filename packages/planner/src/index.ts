export { type PipelineTimes, type StageTimes, slowestStageMs, sumOfStagesMs } from "./pipeline-times.js";
export { type StepCurve, type StepTime, stageMs } from "./step-curve.js";
