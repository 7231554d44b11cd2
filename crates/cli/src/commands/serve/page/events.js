// Server-sent events from the body of a response (EventSource cannot send a POST).
// Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

// A carriage return at the end of the buffer may be the first half of a line end.
const LINE_END = /\r\n|\n|\r(?=[^])/;

// Yields { event, data } for each event of `body`, a ReadableStream of bytes.
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  let event = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (buffer + value).split(LINE_END);
      buffer = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
          event = "";
          data = [];
          continue;
        }
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event = text;
        if (field === "data") data.push(text);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
