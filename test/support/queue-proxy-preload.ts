// Loaded into a function's process with --import: what it sends to the queue-proxy of its pod goes to the port that
// DORMOUSE_TEST_QUEUE_PROXY names, so that several tests can have one each.
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

const QUEUE_PROXY = "127.0.0.1:8012";
const port = process.env["DORMOUSE_TEST_QUEUE_PROXY"];
const { request } = http;

http.request = ((url: URL, ...rest: [http.RequestOptions]) => {
  const target = new URL(url);
  if (target.host === QUEUE_PROXY && port !== undefined) target.port = port;
  return request(target, ...rest);
}) as typeof http.request;
syncBuiltinESMExports();
