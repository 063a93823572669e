import assert from "node:assert/strict";
import { join } from "node:path";
import { type AuthSettings, checkAuth } from "../../shared/config/auth-config.ts";
import { listen } from "../../shared/function/listen.ts";
import { createAuthorizer } from "../../shared/http/authorize-by.ts";
import type { Handler } from "../../shared/http/handler.ts";
import { createApp } from "../../shared/http/server.ts";
import { clusterCaller } from "../../shared/kubernetes/client.ts";
import { jsonLog } from "../../shared/log.ts";
import type { Run } from "../../shared/run/run.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { createRuns } from "../../shared/run/runs.ts";
import { startFakeKubernetes } from "./fake-kubernetes.ts";
import { idleHandler } from "./idle-handler.ts";
import { temporaryVolume } from "./volume.ts";

export type AuthorizingStage = Awaited<ReturnType<typeof setAuthorizingStage>>;

/** A cluster with callers, a volume with room for files of tokens, and functions that authenticate. */
export async function setAuthorizingStage() {
  const parts = new AsyncDisposableStack();
  const volume = parts.use(await temporaryVolume());
  const fake = parts.use(await startFakeKubernetes());
  fake.addUser({ token: "good", name: "jo", audiences: ["dormouse"] });
  fake.addUser({ token: "old", name: "jo", audiences: ["dormouse"], isExpired: true });
  fake.addUser({ token: "elsewhere", name: "jo", audiences: ["https://kubernetes.default.svc"] });
  fake.addUser({ token: "unchecked", name: "jo", audiences: "unchecked" });
  fake.addUser({ token: "reader", name: "al", audiences: ["dormouse"] });
  fake.grant("jo", "restore services");
  fake.grant("jo", "get services");
  fake.grant("al", "get services");
  const settings = { AUTH: "none", AUTH_AUDIENCE: "dormouse", K_SERVICE: "restore" } as const;
  return {
    fake,
    reviews: () => fake.requests.filter(({ resource }) => resource === "tokenreviews").length,
    fileNamed: (name: string) => join(volume.path, name),
    serve: (changes: Partial<AuthSettings>) =>
      serveWith({ ...settings, ...changes }, fake.kubeconfig, volume.path),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** A small function on a real port, which notes what it has read and done. */
async function serveWith(settings: AuthSettings, kubeconfig: string, backupDir: string) {
  const seen: string[] = [];
  const note = <Answer>(what: string, answer: Answer): Answer => {
    seen.push(what);
    return answer;
  };
  const handler: Handler = {
    ...idleHandler,
    kind: "restore",
    parseBody: () => note("body", {}),
    parseEvent: () => note("event", {}),
    work: async () => note("work", {}),
    show: async () => note("show", {}),
    verbsOf: () => ["restore"],
  };
  const log = jsonLog(() => undefined);
  const runs = createRuns({ store: runFiles(backupDir, log), log });
  checkAuth(settings);
  const authorize = await createAuthorizer(settings, clusterCaller({ kubeconfig }));
  const server = await listen(0);
  server.open(createApp({ handler, runs, log, authorize }));
  const url = `http://127.0.0.1:${server.port}`;
  const bearer = (token: string | undefined) =>
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const post = (token: string | undefined, body = "{}") =>
    fetch(url, {
      method: "POST",
      headers: { ...bearer(token), "content-type": "application/json", connection: "close" },
      body,
    });
  return {
    seen,
    post,
    get: (token: string) => fetch(url, { headers: { ...bearer(token), connection: "close" } }),
    async runOf(answer: Response | Promise<Response>): Promise<Run> {
      const response = await answer;
      const run = await runs.find(response.headers.get("dormouse-run") ?? "");
      if (run === undefined) throw new Error(`answer ${response.status}: ${await response.text()}`);
      return run;
    },
    /** Neither the body nor the catalog of a caller that is refused is read. */
    async assertRefused(token: string | undefined, status: number): Promise<void> {
      const response = await post(token, status === 401 ? "no JSON at all" : "{}");
      const problem = (await response.json()) as { code: string };

      assert.equal(response.status, status);
      assert.equal(problem.code, status === 401 ? "unauthenticated" : "forbidden");
      assert.equal(response.headers.get("www-authenticate"), status === 401 ? "Bearer" : null);
      assert.deepEqual(seen, []);
    },
    async [Symbol.asyncDispose]() {
      server.stop();
      await server.closed(1_000);
    },
  };
}
