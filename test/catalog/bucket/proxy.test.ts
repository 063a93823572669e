import assert from "node:assert/strict";
import { createServer } from "node:https";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { bucketCatalog } from "../../../shared/catalog/bucket/bucket-catalog.ts";
import { aBackupOf } from "../../contracts/mirror.ts";
import { certified } from "../../support/certificate.ts";
import { forwardProxy } from "../../support/forward-proxy.ts";
import { embeddedStore, makeBucket } from "../../support/s3.ts";
import { pieces, temporaryFolder } from "../../support/volume.ts";

const never = new AbortController().signal;

describe("a mirror behind a proxy", () => {
  it("reaches a store by a tunnel where that speaks TLS, and past the proxy where NO_PROXY says so", async () => {
    await using folder = await temporaryFolder();
    await using store = await embeddedStore();
    await using bucket = await makeBucket(store);
    const tls = await certified(folder.path);
    // What the signature covers stays as it is: the name that the client called.
    const front = createServer(tls, (asked, answer) => {
      const { method, url: path, headers } = asked;
      const onwards = request({ host: "127.0.0.1", port: store.port, method, path, headers });
      onwards.on("response", (given: IncomingMessage) => {
        answer.writeHead(given.statusCode ?? 502, given.headers);
        given.pipe(answer);
      });
      asked.pipe(onwards);
    }).listen(0, "127.0.0.1");
    await once(front, "listening");
    const { port } = front.address() as AddressInfo;
    await using proxy = await forwardProxy(port);
    const proxies = { HTTP_PROXY: undefined, HTTPS_PROXY: proxy.url, NO_PROXY: "localhost" };
    const settings = { ...bucket.settings, ca: tls.ca, proxies };
    const backup = aBackupOf(Buffer.from("PGDMP"));

    const far = bucketCatalog({ ...settings, endpoint: "https://sink.test" });
    await far.copyIn(backup, async () => pieces("PGDMP"), never);
    const byProxy = proxy.seen.length;
    const near = bucketCatalog({ ...settings, endpoint: `https://localhost:${port}` });
    const listed = await near.list(never);
    front.closeAllConnections();
    front.close();

    assert.deepEqual([...new Set(proxy.seen)], ["CONNECT sink.test:443"]);
    assert.equal(proxy.seen.length, byProxy);
    assert.deepEqual(listed.backups, [backup]);
  });
});
