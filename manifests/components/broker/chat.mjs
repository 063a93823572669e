// Turns an event of Dormouse into a chat message: an example of a subscriber, to be changed at will.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

// Several environments often share a channel. A pod's resolver knows its namespace.
const { ENVIRONMENT_FRIENDLY_NAME: friendlyName } = process.env;
const namespace = /^search\s+(?:\S+\s+)*?([a-z0-9-]+)\.svc\./m.exec(
  readFileSync("/etc/resolv.conf", "utf8"),
)?.[1];
const where = [friendlyName, namespace && `namespace ${namespace}`].filter(Boolean).join(", ");
const place = where === "" ? "" : ` in ${where}`;

function reasonOf({ problem, suspicion, staleness }) {
  const { message, hint = "" } = problem ?? { message: (suspicion ?? staleness)?.detail };
  return message === undefined ? "" : `\n> ${message}\n${hint}`;
}

const server = createServer(async (request, response) => {
  const type = String(request.headers["ce-type"]);
  const subject = decodeURIComponent(String(request.headers["ce-subject"]));
  const reason = reasonOf(JSON.parse((await text(request)) || "{}"));
  try {
    const posted = await fetch(process.env.WEBHOOK_URL, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: `:chipmunk: *${type}* for ${subject}${place}${reason}` }),
      signal: AbortSignal.timeout(10_000),
    });
    // A broker takes a body that is no event for a failure, so the answer has none. At 503 it tries again.
    response.writeHead(posted.ok ? 202 : 503).end();
  } catch (error) {
    // The address is a secret, and fetch names it in a message of its own where it holds a password.
    const why = error.cause?.message ?? error.name;
    console.error(JSON.stringify({ level: "error", message: "webhook not reached", error: why }));
    response.writeHead(503).end();
  }
});
// Above the 90 s for which Knative's proxies keep a connection.
server.keepAliveTimeout = 95_000;
server.listen(Number(process.env.PORT ?? 8080));
process.on("SIGTERM", () => server.close(() => process.exit(0)).closeIdleConnections());
