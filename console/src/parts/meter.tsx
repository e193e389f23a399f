import { percent } from "../format.ts";

export interface MeterPart {
  readonly share: number;
  readonly kind: "main" | "second" | "third" | "bad";
}

interface MeterProps {
  readonly label: string;
  /** What the bar says, in words. */
  readonly text: string;
  /** Shares of the whole, 0 to 1 each, from left to right. */
  readonly parts: readonly MeterPart[];
}

/** A bar with its name and its value. */
export function Meter({ label, text, parts }: MeterProps) {
  const total = parts.reduce((sum, { share }) => sum + share, 0);
  return (
    <div class="meter">
      <span class="meter-label">{label}</span>
      <span class="meter-value">{text}</span>
      {/* biome-ignore lint/a11y/useSemanticElements: browsers draw one value in a <meter>, and this has several */}
      <div
        class="bar"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, Math.round(100 * total))}
        aria-valuetext={text}
      >
        {parts.map(({ share, kind }) => (
          <i key={kind} class={`bar-${kind}`} style={{ width: `${100 * Math.max(0, Math.min(1, share))}%` }} />
        ))}
      </div>
    </div>
  );
}

/** A meter of one share. */
export const ShareMeter = ({ label, share }: { readonly label: string; readonly share: number }) => (
  <Meter label={label} text={percent(share)} parts={[{ share, kind: "main" }]} />
);
