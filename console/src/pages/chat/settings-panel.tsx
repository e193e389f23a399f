import type { Signal } from "@preact/signals";
import { hello } from "../../api/live.ts";
import { SCHEMA_EXAMPLE, settings, TOOLS_EXAMPLE } from "./settings.ts";

export function SettingsPanel() {
  const models = hello.value?.gateway.models ?? [];
  return (
    <div class="fields">
      {models.length > 1 && (
        <label>
          Model
          <select
            value={settings.model.value}
            onChange={({ currentTarget }) => (settings.model.value = currentTarget.value)}
          >
            {models.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        System prompt
        <textarea
          rows={3}
          placeholder="None"
          value={settings.system.value}
          onInput={({ currentTarget }) => (settings.system.value = currentTarget.value)}
        />
      </label>
      <div class="fields-pair">
        <NumberField label="Temperature" of={settings.temperature} least={0} most={2} step={0.1} />
        <NumberField label="Top p" of={settings.topP} least={0} most={1} step={0.05} />
        <NumberField label="Most tokens" of={settings.maxTokens} least={1} step={1} />
        <NumberField label="Seed" of={settings.seed} least={0} step={1} />
      </div>
      <Check label="Token probabilities" of={settings.scores} />
      <Check
        label="Answer by a JSON schema"
        of={settings.usesSchema}
        onChecked={() => (settings.schema.value ||= SCHEMA_EXAMPLE)}
      />
      {settings.usesSchema.value && <Code label="JSON schema" of={settings.schema} />}
      <Check label="Offer tools" of={settings.usesTools} onChecked={() => (settings.tools.value ||= TOOLS_EXAMPLE)} />
      {settings.usesTools.value && (
        <>
          <Code label="Tools, as the API takes them" of={settings.tools} />
          <Check label="Answer questions by a call" of={settings.insistsOnCall} />
        </>
      )}
    </div>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly of: Signal<string>;
  readonly least: number;
  readonly most?: number;
  readonly step: number;
}

const NumberField = ({ label, of, least, most, step }: NumberFieldProps) => (
  <label>
    {label}
    <input
      type="number"
      min={least}
      max={most}
      step={step}
      placeholder="default"
      value={of.value}
      onInput={({ currentTarget }) => (of.value = currentTarget.value)}
    />
  </label>
);

interface CheckProps {
  readonly label: string;
  readonly of: Signal<boolean>;
  readonly onChecked?: () => void;
}

const Check = ({ label, of, onChecked }: CheckProps) => (
  <label class="check">
    <input
      type="checkbox"
      checked={of.value}
      onChange={({ currentTarget }) => {
        of.value = currentTarget.checked;
        if (currentTarget.checked) onChecked?.();
      }}
    />
    {label}
  </label>
);

const Code = ({ label, of }: { readonly label: string; readonly of: Signal<string> }) => (
  <label>
    {label}
    <textarea
      class="mono"
      rows={9}
      spellcheck={false}
      value={of.value}
      onInput={({ currentTarget }) => (of.value = currentTarget.value)}
    />
  </label>
);
