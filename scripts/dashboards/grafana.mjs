// Dashboards as Grafana reads them, from rows of panels: `panel` has a kind, a title, a unit and expressions.

const DATASOURCE = { type: "prometheus", uid: "$datasource" };
const COLUMNS = 24;
const HEIGHT = 8;

/** `queries`: pairs of an expression and a legend, which may name labels: "{{stage}}". */
export const lines = (title, unit, queries, more = {}) => ({ kind: "timeseries", title, unit, queries, ...more });
export const stacked = (title, unit, queries, more = {}) => lines(title, unit, queries, { stack: true, ...more });
export const number = (title, unit, expr, more = {}) => ({
  ...{ kind: "stat", title, unit, queries: [[expr, ""]], width: 4, height: 4 },
  ...more,
});
/** `metric`: a histogram, without its suffix; `labels`: which of its series. */
export const heatMap = (title, unit, metric, labels, more = {}) => ({
  kind: "heatmap",
  title,
  unit,
  queries: [[`sum by (le) (increase(${metric}_bucket{${labels}}[$__rate_interval]))`, "{{le}}"]],
  ...more,
});
export const table = (title, expr, more = {}) => ({
  kind: "table",
  title,
  unit: "none",
  queries: [[expr, ""]],
  ...more,
});

/** The 50th, 95th and 99th percentile of a histogram. */
export const quantiles = (title, unit, metric, labels, more = {}) =>
  lines(
    title,
    unit,
    [0.5, 0.95, 0.99].map((share) => [
      `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket{${labels}}[$__rate_interval])))`,
      `p${100 * share}`,
    ]),
    more,
  );

const OPTIONS = {
  timeseries: { legend: { displayMode: "list", placement: "bottom", showLegend: true }, tooltip: { mode: "multi" } },
  stat: { reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false }, colorMode: "value", graphMode: "area" },
  heatmap: {
    calculate: false,
    color: { mode: "scheme", scheme: "Oranges", steps: 64 },
    yAxis: { axisPlacement: "left" },
    tooltip: { mode: "single" },
    legend: { show: true },
  },
  table: { showHeader: true },
};

function fieldConfig({ kind, unit, stack, max }) {
  const custom =
    kind === "timeseries"
      ? { custom: { fillOpacity: stack ? 30 : 5, stacking: { mode: stack ? "normal" : "none", group: "A" } } }
      : {};
  return { defaults: { unit, min: 0, ...(max !== undefined && { max }), ...custom }, overrides: [] };
}

function panelAt({ title, kind, queries, about, unit, ...panel }, id, gridPos) {
  return {
    id,
    title,
    type: kind,
    ...(about !== undefined && { description: about }),
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: fieldConfig({ kind, unit, ...panel }),
    options: kind === "heatmap" ? { ...OPTIONS.heatmap, yAxis: { axisPlacement: "left", unit } } : OPTIONS[kind],
    targets: queries.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      range: kind !== "table",
      instant: kind === "table",
      ...(kind === "heatmap" && { format: "heatmap" }),
      ...(kind === "table" && { format: "table" }),
    })),
  };
}

/** Panels from left to right, in lines of their own height; a row's title above them. */
function placed(rows) {
  const panels = [];
  let y = 0;
  for (const { title, panels: ofRow } of rows) {
    panels.push({
      ...{ id: panels.length + 1, title, type: "row", collapsed: false, panels: [] },
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y++;
    let [x, tallest] = [0, 0];
    for (const panel of ofRow) {
      const { width: w = 8, height: h = HEIGHT } = panel;
      if (x + w > COLUMNS) [x, y, tallest] = [0, y + tallest, 0];
      panels.push(panelAt(panel, panels.length + 1, { x, y, w, h }));
      x += w;
      tallest = Math.max(tallest, h);
    }
    y += tallest;
  }
  return panels;
}

const variable = ({ name, label, query, multi }) => ({
  ...{ name, label, type: "query", datasource: DATASOURCE, refresh: 2, sort: 1, hide: 0 },
  ...{ definition: query, query: { query, refId: name } },
  ...{ multi, includeAll: multi, ...(multi && { allValue: ".*", current: { text: ["All"], value: ["$__all"] } }) },
});

/** `variables`: name, label and query each; `multi`: several values may be chosen, all at first. */
export function dashboard({ uid, title, description, variables, rows }) {
  return {
    uid,
    title,
    description,
    tags: ["rhone"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "10s",
    time: { from: "now-30m", to: "now" },
    timezone: "",
    links: [
      { type: "dashboards", tags: ["rhone"], title: "Rhone", asDropdown: false, includeVars: true, keepTime: true },
    ],
    annotations: {
      list: [
        {
          name: "Alerts",
          datasource: DATASOURCE,
          enable: true,
          expr: 'ALERTS{alertname=~"Rhone.*", alertstate="firing", severity!="info"}',
          iconColor: "red",
          titleFormat: "{{alertname}}",
          textFormat: "{{model_name}} {{instance}}",
        },
      ],
    },
    templating: {
      list: [
        { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus", refresh: 1, hide: 0 },
        ...variables.map(variable),
      ],
    },
    panels: placed(rows),
  };
}
