import { hello } from "../../api/live.ts";
import { Command } from "../../parts/copy.tsx";
import { Section } from "../../parts/section.tsx";

/** How another machine joins. The token is the authority's to make, and no gateway has it. */
export function Join() {
  const address = hello.value?.gateway.joinAddress ?? null;
  return (
    <Section title="Add a machine">
      {address === null ? (
        <>
          <p class="hint">Start the cluster so that others may join it; it then prints the command for them:</p>
          <Command text="rhone up --listen" what="the command that lets machines join" />
        </>
      ) : (
        <>
          <p class="hint">On the machine that made the cluster, a token for one machine, valid for 30 minutes:</p>
          <Command text="rhone token create" what="the command that makes a token" />
          <p class="hint">On the new machine, with that token:</p>
          <Command text={`rhone join ${address} TOKEN`} what="the command that joins" />
        </>
      )}
    </Section>
  );
}
