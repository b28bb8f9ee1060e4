// Lists the operations of /openapi.json, each with a form that tries it.

const list = document.getElementById("operations");
const find = document.getElementById("find");
const token = document.getElementById("token");

/** An element with properties and children; text never becomes markup. */
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

const scopesOf = (operation) =>
  (operation.security ?? []).flatMap((one) => one.bearer ?? []).join(" or ");

function bodyOf(operation) {
  const content = operation.requestBody?.content ?? {};
  const type = Object.keys(content)[0];
  return type && { type, schema: content[type].schema };
}

/** What may stand in a body to begin with: the members that must be there. */
function sketch(schema) {
  if (schema.oneOf) return sketch(schema.oneOf[0]);
  if (schema.type === "array") return [sketch(schema.items ?? {})];
  if (schema.type === "object" || schema.properties) {
    return Object.fromEntries((schema.required ?? []).map((key) => [key, sketch(schema.properties?.[key] ?? {})]));
  }
  if (schema.enum) return schema.enum[0];
  return { string: "", integer: 0, boolean: false }[schema.type] ?? null;
}

function encode(type, text) {
  if (type !== "application/x-www-form-urlencoded") return text;
  return new URLSearchParams(JSON.parse(text)).toString();
}

async function send(method, path, operation, fields, body) {
  const query = new URLSearchParams();
  let target = path;
  for (const { name, in: place } of operation.parameters ?? []) {
    const value = fields.get(name).value;
    if (place === "path") target = target.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "") query.append(name, value);
  }
  if (query.size > 0) target += `?${query}`;
  const headers = {};
  if (token.value) headers.authorization = `Bearer ${token.value}`;
  if (body) headers["content-type"] = body.type;
  const response = await fetch(target, {
    method: method.toUpperCase(),
    headers,
    body: body && encode(body.type, body.text.value),
    credentials: "omit",
    redirect: "manual",
  });
  const text = await response.text();
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // What is no JSON is shown as it came.
  }
  const heads = ["etag", "content-type"].map((name) => [name, response.headers.get(name)]);
  const lines = heads.filter(([, value]) => value).map(([name, value]) => `${name}: ${value}`);
  return `${method.toUpperCase()} ${target}\n${response.status} ${response.statusText}\n${lines.join("\n")}\n\n${shown}`;
}

function formOf(method, path, operation) {
  const fields = new Map();
  const form = make("form");
  for (const parameter of operation.parameters ?? []) {
    const input = make("input", {
      required: parameter.required,
      title: parameter.description ?? "",
      placeholder: parameter.schema.type ?? "",
      autocomplete: "off",
    });
    fields.set(parameter.name, input);
    form.append(make("label", {}, `${parameter.name}${parameter.required ? " *" : ""} (${parameter.in})`, input));
  }
  let body = bodyOf(operation);
  if (body) {
    const text = make("textarea", { value: JSON.stringify(sketch(body.schema), null, 2), spellcheck: false });
    body = { type: body.type, text };
    form.append(make("label", {}, `body (${body.type})`, text));
  }
  const answer = make("pre", { hidden: true });
  form.append(make("button", { type: "submit" }, "Send"), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.hidden = false;
    answer.textContent = "…";
    answer.textContent = await send(method, path, operation, fields, body).catch(String);
  });
  return form;
}

function rowOf(method, path, operation) {
  const row = make(
    "details",
    {},
    make(
      "summary",
      {},
      make("span", { className: "method" }, method.toUpperCase()),
      make("code", {}, path),
      make("span", { className: "about" }, ` ${operation.summary}`),
    ),
  );
  row.dataset.text = `${method} ${path} ${operation.summary} ${scopesOf(operation)}`.toLowerCase();
  // Forms are made when they are looked at: there are many.
  row.addEventListener(
    "toggle",
    () => {
      const scopes = scopesOf(operation);
      if (scopes) row.append(make("p", { className: "about" }, `Scope: ${scopes}`));
      row.append(formOf(method, path, operation));
      const body = bodyOf(operation);
      if (body) {
        const schema = make("pre", {}, JSON.stringify(body.schema, null, 2));
        row.append(make("details", {}, make("summary", {}, "Schema of the body"), schema));
      }
    },
    { once: true },
  );
  return row;
}

const response = await fetch("/openapi.json");
const api = await response.json();
list.replaceChildren();
for (const { name, description } of api.tags) {
  const section = make("section", {}, make("h2", {}, description));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.tags.includes(name)) section.append(rowOf(method, path, operation));
    }
  }
  list.append(section);
}

find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  for (const row of list.querySelectorAll("section > details")) {
    row.hidden = !row.dataset.text.includes(wanted);
  }
});
