import { useEffect } from "preact/hooks";
import { credential } from "../../api/access.ts";
import { Notice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { BatchRow } from "./batch-row.tsx";
import { batches, problem, watch } from "./batches.ts";
import { Upload } from "./upload.tsx";

const EXAMPLE = `{"custom_id":"1","method":"POST","url":"/v1/completions","body":{"prompt":"Paris is in"}}`;

export function BatchesPage() {
  const key = credential.value;
  // Another key has other batches.
  useEffect(watch, [key]);
  const all = batches.value;
  return (
    <>
      <Upload />
      {problem.value !== "" && <Notice tone="bad">{problem.value}</Notice>}
      <Section title="Batches">
        {all === null && problem.value === "" && <p class="empty">Loading…</p>}
        {all?.length === 0 && (
          <p class="empty">
            None yet. A line of a file is such a request: <code>{EXAMPLE}</code>
          </p>
        )}
        <ul class="batches">
          {all?.map((batch) => (
            <BatchRow key={batch.id} batch={batch} />
          ))}
        </ul>
      </Section>
    </>
  );
}
