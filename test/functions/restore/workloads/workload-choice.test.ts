import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkloadChoice, workloadsOf } from "../../../../functions/restore/workloads/workload-choice.ts";
import { workloadText } from "../../../../functions/restore/workloads/workload.ts";

function read(text: string, database: string): readonly string[] | undefined {
  const choice = parseWorkloadChoice(text);
  return choice && workloadsOf(choice, database).map(workloadText);
}

describe("APP_WORKLOADS", () => {
  it("is one list for all databases, in its order", () => {
    const text = "deployment/server, statefulset/queue";

    assert.deepEqual(read(text, "hets"), ["deployment/server", "statefulset/queue"]);
    assert.equal(parseWorkloadChoice(text)?.byDatabase, undefined);
  });

  const byDatabase = [
    "hets=deployment/server,deployment/frontend;reports=deployment/reports,deployment/server",
    "hets = deployment/server, deployment/frontend ; reports = deployment/reports, deployment/server",
    '{"hets": "deployment/server,deployment/frontend", "reports": "deployment/reports,deployment/server"}',
    '{"hets": ["deployment/server", "deployment/frontend"], "reports": ["deployment/reports", "deployment/server"]}',
  ];
  for (const text of byDatabase)
    it(`is a list for each database, and none for others: ${text}`, () => {
      assert.deepEqual(read(text, "hets"), ["deployment/server", "deployment/frontend"]);
      assert.deepEqual(read(text, "reports"), ["deployment/reports", "deployment/server"]);
      assert.deepEqual(read(text, "het"), []);
      assert.deepEqual(read(text, "__proto__"), []);
      assert.deepEqual(parseWorkloadChoice(text)?.all.map(workloadText), [
        "deployment/server",
        "deployment/frontend",
        "deployment/reports",
      ]);
      assert.deepEqual([...(parseWorkloadChoice(text)?.byDatabase?.keys() ?? [])], ["hets", "reports"]);
    });

  it("takes odd names as JSON", () => {
    assert.deepEqual(read('{"a=b; c": "deployment/a"}', "a=b; c"), ["deployment/a"]);
    const quoted = '{":x": "deployment/a", "a\\":\\"": ["deployment/b"] , "y" : "deployment/a"}';
    assert.deepEqual(read(quoted, ":x"), ["deployment/a"]);
    assert.deepEqual(read(quoted, 'a":"'), ["deployment/b"]);
  });

  const mistakes = [
    "server",
    "pod/server",
    "deployment/Server",
    "deployment/a,deployment/a",
    "deployment/a;deployment/b",
    "hets=deployment/a;",
    "hets=;reports=deployment/a",
    "=deployment/a",
    "hets=deployment/a;hets=deployment/b",
    "hets=deployment/a,reports=deployment/b",
    "{}",
    "{",
    '{"hets": {}}',
    '{"hets": "deployment/a", "hets": "deployment/b"}',
    '{"hets": "deployment/a", "h\\u0065ts": ["deployment/b"]}',
    '{"": "deployment/a"}',
    '["deployment/a"]',
  ];
  for (const text of mistakes)
    it(`is a mistake: ${text}`, () => assert.equal(parseWorkloadChoice(text), undefined));
});
