import type { ComponentChildren } from "preact";

interface SectionProps {
  readonly title: string;
  /** Beside the title. */
  readonly aside?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export const Section = ({ title, aside, class: kind = "", children }: SectionProps) => (
  <section class={`section ${kind}`} aria-label={title}>
    <header class="section-head">
      <h2>{title}</h2>
      {aside}
    </header>
    {children}
  </section>
);
