import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { withProxies } from "../../shared/config/proxy-config.ts";
import { sendHttp, tunnelTo } from "../../shared/events/http-request.ts";
import { forwardProxy, type ForwardProxy } from "../support/forward-proxy.ts";
import { json, standIn, type StandIn } from "../support/stand-in.ts";

const { signal } = new AbortController();

/** What curl, Go and Python make of each, too. */
const ROWS: readonly (readonly [NO_PROXY: string, host: string, isDirect: boolean])[] = [
  ["127.0.0.0/8", "127.0.0.1", true],
  ["10.0.0.0/8,127.0.0.1/32", "127.0.0.1", true],
  ["127.0.0.77/25", "127.0.0.1", true],
  ["0.0.0.0/0", "127.0.0.1", true],
  ["10.0.0.0/8", "127.0.0.1", false],
  ["127.0.0.128/25", "127.0.0.1", false],
  ["127.0.0.0/33", "127.0.0.1", false],
  ["127.0.0.1", "127.0.0.1", true],
  ["27.0.0.1", "127.0.0.1", false],
  ["sink.invalid", "sink.invalid", true],
  ["invalid", "sink.invalid", true],
  ["INVALID", "a.sink.invalid", true],
  [".invalid", "sink.invalid", true],
  ["*.invalid", "sink.invalid", true],
  ["other.test invalid", "sink.invalid", true],
  ["ink.invalid", "sink.invalid", false],
  ["sink.invalid.test", "sink.invalid", false],
  ["a.sink.invalid", "sink.invalid", false],
];

describe("NO_PROXY", () => {
  let server: StandIn;
  let proxy: ForwardProxy;
  before(async () => {
    server = await standIn(json({}));
    proxy = await forwardProxy(Number(new URL(server.url).port));
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  for (const [NO_PROXY, host, isDirect] of ROWS)
    it(`"${NO_PROXY}" leads to ${host} ${isDirect ? "past" : "through"} the proxy`, async () => {
      const url = `http://${host}:${new URL(server.url).port}/`;
      const outbound = withProxies({ HTTP_PROXY: proxy.url, NO_PROXY });
      const asked = proxy.seen.length;

      // The host need not be there: what counts is whether it goes through the proxy.
      await sendHttp(url, { method: "GET", headers: {} }, { outbound }, signal).catch(() => undefined);

      assert.equal(proxy.seen.length - asked, isDirect ? 0 : 1);
      // Mail has its own way, and must find the same.
      const ofMail = withProxies({ HTTPS_PROXY: proxy.url, NO_PROXY });
      assert.equal(tunnelTo(host, 587, ofMail), isDirect ? undefined : proxy.url);
    });

  it("and the proxies are read in lower case first, and not made up", () => {
    const both = { no_proxy: "a.test", NO_PROXY: "b.test", HTTPS_PROXY: "http://p", https_proxy: "" };

    assert.deepEqual(withProxies(both), {
      ...both,
      HTTPS_PROXY: "http://p",
      HTTP_PROXY: undefined,
      NO_PROXY: "a.test,*.a.test",
    });
    assert.deepEqual(withProxies({}), { HTTPS_PROXY: undefined, HTTP_PROXY: undefined, NO_PROXY: undefined });
  });
});
