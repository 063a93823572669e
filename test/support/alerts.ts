import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { parse, stringify } from "yaml";
import { goProgram } from "./go-program.ts";
import { MANIFESTS } from "./manifests.ts";
import { temporaryFolder } from "./volume.ts";

export const MONITORING = join(MANIFESTS, "components", "monitoring");

type Rule = { readonly alert: string; readonly expr: string };
type Rules = { readonly spec: { readonly groups: readonly { readonly rules: readonly Rule[] }[] } };

export async function alertRules(): Promise<Rules> {
  return parse(await readFile(join(MONITORING, "rules.yaml"), "utf8")) as Rules;
}

/** The alerts of ours that fire `hours` after `from`, by promtool, where these series stay as they are. */
export async function alertsAfter(series: readonly string[], from: Date, hours: number): Promise<string[]> {
  const promtool = await goProgram("github.com/prometheus/prometheus/cmd/promtool");
  await using folder = await temporaryFolder();
  const { spec } = await alertRules();
  await writeFile(join(folder.path, "rules.yaml"), stringify(spec));
  const input_series = series.map((line) => {
    const at = line.lastIndexOf(" ");
    return { series: line.slice(0, at), values: `${line.slice(at + 1)}x${hours * 15}` };
  });
  // None is expected: promtool says of each one that fires that it does.
  const alerts = spec.groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  const alert_rule_test = alerts.map((alertname) => ({
    eval_time: `${hours}h`,
    alertname,
    exp_alerts: [],
  }));
  const test = { interval: "4m", start_timestamp: from.toISOString(), input_series, alert_rule_test };
  const path = join(folder.path, "test.yaml");
  const files = { rule_files: ["rules.yaml"], evaluation_interval: "4m", tests: [test] };
  await writeFile(path, stringify(files));
  const { failed, all } = await execa(promtool, ["test", "rules", path], { reject: false, all: true });
  const firing = [...all.matchAll(/alertname: Dormouse(\w+), time/g)].map(([, alert = ""]) => alert);
  assert.equal(failed, firing.length > 0, all);
  assert.doesNotMatch(all, /no value/);
  return firing;
}
