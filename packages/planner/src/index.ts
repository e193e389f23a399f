export { type Calibration, mergeCalibrations, type RawSpeed } from "./calibration.js";
export { type CountChoice, type CountRequest, chooseWorkerCount } from "./choose-worker-count.js";
export { firstVisiblePosition, type KvShape, livePages } from "./kv-shape.js";
export { bytesBeyond, type ModelWeights, type ShardRange } from "./model-weights.js";
export { groupSizes, type PipelineTimes, slowestStageMs, sumOfStagesMs } from "./pipeline-times.js";
export { type ModelPlan, planModel, SERVING_DEFAULTS } from "./plan-model.js";
export type { StagePlan, StageWorker } from "./plan-stages.js";
export { type LinkTime, type PredictedStage, type Prediction, predict } from "./predict.js";
export { CALIBRATED_ROWS, type StepCurve } from "./step-curve.js";
