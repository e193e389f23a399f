export { ReferenceBatch, type ReferenceBatchOptions } from "./reference-batch.js";
export { ReferenceModel, type ReferenceModelOptions } from "./reference-model.js";
export { ReferenceSteps, type ReferenceStepsOptions } from "./reference-steps.js";
export type { ReferenceRow } from "./whole-model.js";
