export { ReferenceBatch, type ReferenceBatchOptions } from "./reference-batch.js";
export { ReferenceModel, type ReferenceModelOptions } from "./reference-model.js";
export { type ReferenceRow, ReferenceSteps, type ReferenceStepsOptions } from "./reference-steps.js";
