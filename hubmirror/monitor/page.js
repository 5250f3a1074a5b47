// The mirror's figures, live. They come as server-sent events, and by asking every few seconds
// where those don't get through. Many names in them were chosen by strangers: every text goes in
// as text, none as HTML (the page's policy forbids that, too).

const FIRST_EVENT = 5_000; // ms; the first event comes at once, unless a proxy holds it back
const SILENCE = 40_000; // ms; the server says something every 15 s
const POLL = 5_000; // ms
const LONGEST_PAUSE = 30_000; // ms between two tries while nothing answers
const REFRESH = 30_000; // ms; the history, and what is told relative to now
const DAY = 86_400_000; // ms
const SHOWN = 10; // rows of a list
const FETCHES_SHOWN = 4;

const OUTCOMES = [
  ["hit", "Hit"],
  ["stale", "Stale"],
  ["miss", "Miss"],
  ["refused", "Refused"],
  ["error", "Error"],
].map(([key, label]) => ({ key, label, value: (row) => row.by_outcome[key] }));
const DIRECTIONS = [
  { key: "hit", label: "To clients", value: (row) => row.bytes_out },
  { key: "miss", label: "From upstream", value: (row) => row.upstream_bytes },
];
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const ALL_IS_WELL = "All is well: upstream answers, and the day will last.";
const WHEN_SPENT = {
  "cache-only": "only what is kept is served",
  refuse: "every request is refused",
  count: "requests are counted on, none is refused",
};

class Refused extends Error {}
class Absent extends Error {}

let latest = null; // what /quota said last
let lostAt = null; // since when nothing answers
let refreshing = null; // the interval
let memory = null; // the token, where the browser forbids storage: until the page is loaded anew

const byId = (id) => document.getElementById(id);
const charts = {
  requests: makeChart("requests", OUTCOMES, count, true),
  bytes: makeChart("bytes", DIRECTIONS, bytes, false),
};

offerCopies();
offerFiles();
offerTokenForm();
watch();

// ---------------------------------------------------------------- How the figures come

/** Follow the figures until it is known that they are not for whoever looks. */
async function watch() {
  showOnly("figures");
  for (let failures = 0; ; ) {
    await untilVisible();
    await follow().catch(() => {}); // whatever ended it, asking once tells more
    if (document.hidden) continue;
    try {
      show(await ask("/quota"), "polling");
      failures = 0;
    } catch (error) {
      if (error instanceof Refused) return showRefusal();
      if (error instanceof Absent) return showOnly("absent");
      showLoss();
      failures += 1;
    }
    await pause(failures ? Math.min(1_000 * 2 ** failures, LONGEST_PAUSE) : POLL);
  }
}

/** Show what the server sends, until it ends, is silent for too long, or nobody looks. */
async function follow() {
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  const abortIfHidden = () => document.hidden && abort();
  let watchdog = setTimeout(abort, FIRST_EVENT);
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(abort, SILENCE);
  };
  document.addEventListener("visibilitychange", abortIfHidden);
  try {
    const response = await request("/quota/stream", "text/event-stream", aborter.signal);
    for await (const event of eventsOf(response.body, alive)) {
      if (event.name === "quota") show(JSON.parse(event.data), "live");
    }
  } finally {
    clearTimeout(watchdog);
    document.removeEventListener("visibilitychange", abortIfHidden);
    abort();
  }
}

/** The events of a text/event-stream; `alive` is called for all that comes, comments too. */
async function* eventsOf(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    yield* blocks.map(parseEvent);
  }
}

function parseEvent(block) {
  const event = { name: "message", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") event.name = value;
    if (field === "data") event.data += value;
  }
  return event;
}

async function ask(path) {
  const signal = AbortSignal.timeout(SILENCE);
  return (await request(path, "application/json", signal)).json();
}

async function request(path, type, signal) {
  const headers = { Accept: type };
  const token = keptToken();
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { headers, signal, cache: "no-store" });
  if (response.status === 401 || response.status === 403) throw new Refused();
  if (response.status === 404) throw new Absent();
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}

async function refresh() {
  if (document.hidden || !latest) return;
  showAll();
  try {
    const { rows } = await ask("/quota/history?range=24h&step=hour");
    drawChart(charts.requests, rows);
    drawChart(charts.bytes, rows);
  } catch {
    // The next turn tries again; that nothing answers is told by `watch`.
  }
}

function pause(milliseconds) {
  const jitter = 0.8 + 0.4 * Math.random(); // so that a mirror that comes back is not overrun
  return new Promise((done) => setTimeout(done, milliseconds * jitter));
}

function untilVisible() {
  return new Promise((done) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      done();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });
}

// ---------------------------------------------------------------- The monitor's token

function offerTokenForm() {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(byId("token").value);
    watch();
  });
  byId("forget").addEventListener("click", () => {
    keepToken(null);
    location.reload();
  });
}

function showRefusal() {
  byId("refused").toggleAttribute("data-wrong", Boolean(keptToken()));
  text("token-note", keptToken()
    ? "The mirror does not know this token."
    : "It is kept in this tab, and forgotten when the tab is closed.");
  const isSecondTry = Boolean(keptToken());
  keepToken(null);
  showOnly("refused");
  if (isSecondTry) byId("token").select();
}

function keptToken() {
  try {
    return sessionStorage.getItem("hubmirror-token") ?? memory;
  } catch {
    return memory;
  }
}

function keepToken(token) {
  memory = token;
  try {
    if (token === null) sessionStorage.removeItem("hubmirror-token");
    else sessionStorage.setItem("hubmirror-token", token);
  } catch {
    // The memory has it.
  }
}

// ---------------------------------------------------------------- The page as a whole

function showOnly(id) {
  for (const each of ["figures", "refused", "absent"]) byId(each).hidden = each !== id;
  byId("link").hidden = byId("programs").hidden = id !== "figures";
  byId("forget").hidden = !keptToken();
  if (id === "figures") return;
  clearInterval(refreshing);
  latest = refreshing = null;
}

function show(quota, link) {
  latest = quota;
  lostAt = null;
  showLink(link);
  showAll();
  if (refreshing === null) {
    refreshing = setInterval(refresh, REFRESH);
    refresh();
  }
}

function showLoss() {
  lostAt ??= new Date();
  showLink("lost");
  showVerdict(latest);
}

function showLink(state) {
  byId("link").dataset.state = state;
  text("link-text", { live: "live", polling: "every 5 s", lost: "no answer" }[state]);
}

function showAll() {
  const quota = latest;
  byId("figures").classList.toggle("public", !quota.clients);
  showVerdict(quota);
  showDay(quota);
  showHits(quota);
  showHub(quota.hub.limits);
  showUpstream(quota.upstream);
  showFetches(quota.fetches);
  showReserves(quota.reserves ?? []);
  showLists(quota);
  document.title = `${dayShare(quota)} · hubmirror on ${location.host}`;
}

// ---------------------------------------------------------------- In one line

/** Its text changes only when something has happened: screen readers read it out. */
function showVerdict(quota) {
  const found = lostAt
    ? [["bad", `The mirror has not answered since ${clock(lostAt)}. Trying again.`]]
    : problems(quota);
  const worst = found.some(([level]) => level === "bad") ? "bad" : "warn";
  byId("verdict").dataset.level = found.length ? worst : "ok";
  text("verdict", found.map(([, sentence]) => sentence).join(" ") || ALL_IS_WELL);
}

/** Pairs of a level and a sentence, the worst first. */
function problems({ upstream, login, minute, remaining, reset, on_exhausted, forecast, hub }) {
  const bad = [];
  const warn = [];
  if (!upstream.is_up) {
    bad.push(`Upstream has been down since ${clock(upstream.since)}: what is kept is served on.`);
  }
  if (login?.ok === false) {
    bad.push(`The mirror's account upstream does not work: ${login.message}`);
  }
  if (remaining === 0) {
    bad.push(`The day is spent: until ${clock(reset)} ${WHEN_SPENT[on_exhausted]}.`);
  } else if (forecast.exhausted_at) {
    warn.push("At this rate the day is spent before it ends.");
  }
  if (minute.remaining === 0) warn.push("This minute is spent.");
  for (const { payer, remaining: left, exhausted_at: at } of hub.limits) {
    const whose = payer ? `${payer}'s pulls from Docker Hub` : "Docker Hub's pulls";
    if (left === 0) warn.push(`${whose} are used up.`);
    else if (at) warn.push(`${whose} run out at this rate.`);
  }
  const all = { bad, warn };
  return Object.keys(all).flatMap((level) => all[level].map((sentence) => [level, sentence]));
}

// ---------------------------------------------------------------- The first row

function showDay(quota) {
  const { limit, used, remaining, reset, minute } = quota;
  const end = dayEnd(quota);
  text("day-share", dayShare(quota));
  text("day-of", limit === null ? "requests today" : "of the day spent");
  text("day-end", end.text);
  byId("day-end").className = end.level;
  text("day-count", countOf(used, limit));
  text("day-left", remaining === null ? "no limit" : count(remaining));
  text("minute", countOf(minute.used, minute.limit));
  text("day-reset", clock(reset));
  text("day-title", `Today, ${day(new Date(new Date(reset) - DAY), { timeZone: "UTC" })} UTC`);
  byId("day").className = `card ${end.level} ${limit === null ? "unlimited" : ""}`;
  showGauge(quota, end);
}

function showGauge(quota, end) {
  const gauge = byId("gauge");
  const used = share(quota.used, quota.limit);
  const gone = 100 - share(new Date(quota.reset) - Date.now(), DAY);
  byId("gauge-used").style.width = `${used}%`;
  byId("gauge-forecast").style.width = `${share(quota.forecast.used_at_reset, quota.limit)}%`;
  byId("gauge-now").style.left = `${gone}%`;
  gauge.setAttribute("aria-valuenow", Math.floor(used));
  const pace = `${percent(gone / 100)} of the day is gone`;
  gauge.setAttribute("aria-valuetext", `${dayShare(quota)} spent, ${end.text}; ${pace}`);
}

/** How far the day is spent: a share where there is a limit. */
function dayShare({ limit, used }) {
  return limit === null ? count(used) : percent(limit ? used / limit : 1);
}

function dayEnd({ limit, remaining, forecast, reset }) {
  if (remaining === 0) return { text: `spent until ${clock(reset)}`, level: "bad" };
  const { used_at_reset: final, exhausted_at: at } = forecast;
  if (at) return { text: `runs out at ${clock(at)}`, level: "warn" };
  const told = limit === null ? `about ${count(final)}` : percent(final / limit);
  return { text: `ends at ${told}`, level: "" };
}

function showHits({ hit_ratio: ratio, today }) {
  text("hit-ratio", ratio === null ? "–" : percent(ratio));
  text("hit-note", ratio === null ? "nothing asked for yet" : "of manifests and layers");
  text("pulls-saved", count(today.pulls_saved));
  text("pulls-made", count(today.pulls));
}

/** Our own pulls are told large; those of every payer stand in a list below. */
function showHub(limits) {
  const ours = limits.find((limit) => limit.payer === "") ?? limits[0];
  text("hub-left", ours ? count(ours.remaining) : "–");
  text("hub-of", ours ? `of ${count(ours.limit)} left` : "");
  text("hub-note", ours ? hubNote(ours) : "told with the first pull");
  text("hub-end", ours ? runOut(ours) : "–");
  text("hub-seen", ours ? clock(ours.seen) : "–");
}

function hubNote({ window, payer, source }) {
  return [`per ${duration(window)}`, payer, source].filter(Boolean).join(" · ");
}

function runOut({ remaining, exhausted_at: at }) {
  if (remaining === 0) return "used up";
  return at ? `out at ${clock(at)}` : "they last";
}

// ---------------------------------------------------------------- Upstream, fetches, reserves

function showUpstream({ url, is_up: isUp, since, outages = [] }) {
  const host = url ? new URL(url).host : byId("upstream-name").textContent;
  byId("upstream").dataset.up = isUp;
  text("upstream-state", isUp ? "Up" : "Down");
  text("upstream-note", isUp ? host : `${host}, since ${clock(since)}`);
  const others = outages.filter((outage) => outage.host !== host);
  const make = () => element("li");
  reconcile(byId("outages"), others, (outage) => outage.host, make, (node, outage) => {
    setText(node, `${outage.host} down since ${clock(outage.since)}`);
  });
}

function showFetches(fetches) {
  text("fetch-count", fetches.length ? `(${count(fetches.length)})` : "");
  byId("fetch-none").hidden = fetches.length > 0;
  const shown = fetches.slice(0, FETCHES_SHOWN);
  const keyOf = (fetch, index) => fetch.digest ?? index;
  reconcile(byId("fetch-list"), shown, keyOf, makeMeter, (node, fetch) => {
    const { digest, repository, kept, size, readers } = fetch;
    const name = [repository, digest?.replace(/^sha256:/, "").slice(0, 12)].filter(Boolean);
    const who = `${count(readers)} ${readers === 1 ? "reader" : "readers"}`;
    const note = `${bytes(kept)} of ${bytes(size)} · ${who}`;
    fillMeter(node, name.join(" · ") || "A layer", note, kept, size);
  });
}

function showReserves(reserves) {
  byId("reserves").hidden = reserves.length === 0;
  const keyOf = (reserve) => reserve.name;
  reconcile(byId("reserve-list"), reserves, keyOf, makeMeter, (node, { name, used, size }) => {
    fillMeter(node, name, countOf(used, size), used, size);
  });
}

function makeMeter() {
  const node = element("li");
  node.append(element("span"), element("small"), element("progress"));
  return node;
}

function fillMeter(node, name, note, value, max) {
  const [label, small, progress] = node.children;
  setTitled(label, name);
  setText(small, note);
  progress.max = max || 1;
  progress.value = value;
  progress.setAttribute("aria-label", name);
}

// ---------------------------------------------------------------- Lists

function showLists({ repositories, clients, networks, users, hub }) {
  const requests = ["Requests", (entry) => count(entry.requests)];
  const sent = ["Sent", (entry) => bytes(entry.bytes_out)];
  const refused = ["Refused", (entry) => count(entry.refused), "short"];
  const pulls = ["Pulls", (entry) => count(entry.pulls), "short"];
  const image = ["Image", (entry) => entry.repository];
  const network = ["Network", (entry) => entry.network];
  const user = ["User", (entry) => entry.user];
  list("repositories", repositories, [image, requests, pulls, sent], true);
  list("clients", clients, [["Client", clientName], requests, refused, sent], true);
  list("networks", networks, [network, requests, refused, sent]);
  list("users", users, [user, requests, refused, sent]);
  list("payers", hub.limits, [
    ["Payer", payerName],
    ["Left", (limit) => countOf(limit.remaining, limit.limit), "long"],
    ["At this rate", runOut, "long"],
  ]);
  list("pulls", hub.pulls, [
    ["Image", (pull) => pull.image],
    ["Client", (pull) => pull.client, "long"],
    ["At", (pull) => clock(pull.at), "short"],
  ]);
}

/** The public is told of payers, and not who they are. */
function payerName({ payer, source }, index) {
  const name = payer === undefined ? `payer ${index + 1}` : payer || "this mirror";
  return source ? `${name} · ${source}` : name;
}

function clientName({ client, network }) {
  return network ? `${client} · ${network}` : client;
}

/**
 * A table of `entries`; nothing at all where they are not told, or, unless `isLasting`, none. A
 * column is its title, what it tells of an entry, and how wide it is.
 */
function list(id, entries, columns, isLasting = false) {
  const section = byId(id);
  section.hidden = !(entries?.length || (entries && isLasting));
  if (section.hidden) return;
  const table = section.querySelector("table") ?? makeTable(section, columns);
  const none = section.querySelector(".none");
  table.hidden = entries.length === 0;
  none.hidden = entries.length > 0;
  const most = Math.max(...entries.map((entry) => entry.requests ?? 0));
  const keyOf = (_, index) => index;
  const make = () => makeRow(columns);
  reconcile(table.tBodies[0], entries.slice(0, SHOWN), keyOf, make, (row, entry, index) => {
    columns.forEach(([, tell], column) => setTitled(row.cells[column], tell(entry, index)));
    row.style.setProperty("--part", `${share(entry.requests, most)}%`);
  });
}

function makeTable(section, columns) {
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const [title, , width = ""] of columns) {
    head.append(element("th", { scope: "col", class: width }, title));
  }
  table.createTBody();
  table.setAttribute("aria-labelledby", `${section.id}-title`);
  section.append(table, element("p", { class: "none" }, "None yet today"));
  return table;
}

function makeRow(columns) {
  const row = element("tr");
  row.append(...columns.map(() => element("td")));
  return row;
}

// ---------------------------------------------------------------- Charts

/**
 * A chart of 24 hours in the section `id`: bars that are stacked, or else before each other. The
 * legend tells the sums, and an hour's values while a pointer is over it.
 */
function makeChart(id, series, format, isStacked) {
  const plot = element("div", { class: "plot" });
  const legend = element("dl", { class: "legend" });
  const details = makeDetails(id);
  const chart = { id, series, format, isStacked, plot, legend, rows: [], chosen: null };
  chart.table = details.querySelector("table");
  byId(id).append(plot, legend, details);
  plot.addEventListener("pointermove", (event) => choose(chart, event.clientX));
  plot.addEventListener("pointerleave", () => choose(chart, -Infinity));
  drawChart(chart, []);
  return chart;
}

function choose(chart, x) {
  const box = chart.plot.querySelector("svg").getBoundingClientRect();
  const index = Math.floor(((x - box.left) / box.width) * chart.rows.length);
  chart.chosen = index in chart.rows ? index : null;
  showChosen(chart);
}

function showChosen(chart) {
  const bands = chart.plot.querySelectorAll(".hover");
  bands.forEach((band, index) => band.classList.toggle("on", index === chart.chosen));
  fillLegend(chart);
}

function drawChart(chart, rows) {
  chart.rows = rows;
  const top = ceiling(chart);
  chart.plot.replaceChildren(...gridLines(chart, top), bars(chart, top), timeScale(rows));
  if (rows.length && top === 0) {
    chart.plot.append(element("p", { class: "empty" }, "Nothing yet in these 24 hours"));
  }
  fillTable(chart);
  showChosen(chart);
}

/** The end of the scale: round to read, 0 where there is nothing. */
function ceiling({ rows, series, format, isStacked }) {
  const values = rows.map((row) => series.map((one) => one.value(row)));
  const highest = Math.max(0, ...values.map((each) => (isStacked ? sum(each) : Math.max(...each))));
  if (highest === 0) return 0;
  const isBinary = format === bytes;
  const base = isBinary ? 2 ** (10 * Math.floor(Math.log2(highest) / 10)) : decade(highest);
  const steps = isBinary ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] : [1, 2, 4, 6, 8, 10];
  return Math.max(2, base * steps.find((step) => base * step >= highest));
}

function decade(number) {
  return 10 ** Math.floor(Math.log10(number));
}

function gridLines({ format }, top) {
  return (top ? [0, 0.5, 1] : [0]).map((part) => {
    const line = element("div", { class: "grid", "aria-hidden": "true" });
    line.style.top = `${100 - 100 * part}%`;
    line.append(element("span", {}, format(top * part)));
    return line;
  });
}

function bars(chart, top) {
  const { rows, isStacked } = chart;
  const picture = svg("svg", {
    viewBox: `0 0 ${rows.length || 1} 100`,
    preserveAspectRatio: "none",
    class: isStacked ? "stacked" : "",
    role: "img",
    "aria-label": summary(chart),
  });
  rows.forEach((row, index) => {
    picture.append(...column(chart, row, index, top));
    picture.append(svg("rect", { class: "hover", x: index, y: 0, width: 1, height: 100 }));
  });
  return picture;
}

function summary({ id, rows, series, format }) {
  const sumOf = (value) => format(sum(rows.map(value)));
  const sums = series.map(({ label, value }) => `${label.toLowerCase()} ${sumOf(value)}`);
  return `${sectionTitle(id)} of the last 24 hours: ${sums.join(", ")}. A table below has each.`;
}

function column({ series, isStacked }, row, index, top) {
  let floor = 100;
  return series.flatMap((one, place) => {
    const height = top ? (100 * one.value(row)) / top : 0;
    if (height === 0) return [];
    if (isStacked) floor -= height;
    const inset = isStacked ? 0.1 : 0.1 + 0.2 * place;
    const [x, width] = [index + inset, 1 - 2 * inset];
    const y = isStacked ? floor : 100 - height;
    return [svg("rect", { class: `fill-${one.key}`, x, y, width, height })];
  });
}

/** Every sixth hour as the reader's clock has it, and where the UTC day begins. */
function timeScale(rows) {
  const scale = element("div", { class: "scale", "aria-hidden": "true" });
  const at = (node, index) => {
    node.style.left = `${(100 * index) / rows.length}%`;
    scale.append(node);
  };
  rows.forEach((row, index) => {
    const start = new Date(row.start);
    const hasRoom = index < rows.length - 2;
    if (start.getHours() % 6 === 0 && hasRoom) at(element("span", {}, hour(start)), index);
    if (start.getUTCHours() !== 0) return;
    at(element("i"), index);
    at(element("b", { class: index < 4 ? "first" : index > 19 ? "last" : "" }, "UTC day"), index);
  });
  return scale;
}

function fillLegend({ legend, series, format, rows, chosen }) {
  const row = rows[chosen];
  const values = series.map((one) => (row ? one.value(row) : sum(rows.map(one.value))));
  const all = {
    key: "",
    label: row ? `${hour(new Date(row.start))} on` : "24 hours",
    value: format === bytes ? "" : format(sum(values)), // in and out make no sum
  };
  const each = series.map((one, index) => ({ ...one, value: format(values[index]) }));
  reconcile(legend, [all, ...each], (item) => item.key, makeLegendItem, (node, item) => {
    const [label, value] = node.children;
    node.className = item.key ? "" : "when";
    label.className = item.key && `fill-${item.key}`;
    setText(label, item.label);
    setText(value, item.value);
  });
}

function makeLegendItem() {
  const node = element("div");
  node.append(element("dt"), element("dd"));
  return node;
}

function makeDetails(id) {
  const details = element("details");
  const scroll = element("div", { class: "scroll", tabindex: "0", role: "region" });
  scroll.setAttribute("aria-label", `${sectionTitle(id)}, as a table`);
  scroll.append(element("table"));
  details.append(element("summary", {}, "As a table"), scroll);
  return details;
}

function fillTable({ table, series, format, rows }) {
  const head = element("tr");
  for (const title of ["Hour", ...series.map((one) => one.label)]) {
    head.append(element("th", { scope: "col" }, title));
  }
  const body = [...rows].reverse().map((row) => {
    const line = element("tr");
    const cells = [clock(row.start), ...series.map((one) => format(one.value(row)))];
    line.append(...cells.map((cell) => element("td", {}, cell)));
    return line;
  });
  table.replaceChildren(element("thead"), element("tbody"));
  table.tHead.append(head);
  table.tBodies[0].append(...body);
}

function sectionTitle(id) {
  return byId(`${id}-title`).textContent;
}

// ---------------------------------------------------------------- Copying the set-up

function offerCopies() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = byId(`setup-${button.dataset.copy}`);
    const client = button.closest(".card").querySelector("h3").textContent;
    let timer = null;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const isCopied = await copy(source);
      setText(button, isCopied ? "Copied" : "Selected");
      text("copied", `${client}: the set-up is ${isCopied ? "copied" : "selected, to be copied"}.`);
      clearTimeout(timer);
      timer = setTimeout(() => {
        setText(button, "Copy");
        text("copied", "");
      }, 2_000);
    });
  }
}

/** Over plain HTTP a page has no clipboard but the old way: what is selected. */
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    const isCopied = document.execCommand("copy");
    if (isCopied) getSelection().removeAllRanges();
    return isCopied;
  }
}

// ---------------------------------------------------------------- Images as files

function offerFiles() {
  const form = byId("file-form");
  if (form === null) return; // nobody pulls at this address
  byId("files").hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    byId("file-links").replaceChildren();
    text("file-note", "Looking for it…");
    const name = byId("file-name").value.trim();
    try {
      const response = await fetch(`${imagePath(name)}.json`, { signal: AbortSignal.timeout(SILENCE) });
      const told = await response.json();
      if (!response.ok) return text("file-note", `${told.errors[0].message}.`);
      showFiles(name, told.platforms);
    } catch {
      text("file-note", "The mirror does not answer.");
    }
  });
}

function showFiles(name, platforms) {
  const links = platforms.map(({ platform, digest }) => {
    const isOnly = platforms.filter((other) => other.platform === platform).length === 1;
    const query = platform && isOnly ? `?platform=${platform}` : "";
    const named = isOnly ? name : `${name.replace(/(:[^/:@]*)?(@.*)?$/, "")}@${digest}`;
    const item = element("li");
    item.append(element("a", { href: `${imagePath(named)}.tar${query}` }, platform ?? "the image"));
    return item;
  });
  byId("file-links").replaceChildren(...links);
  text("file-note", links.length ? "A link for each platform." : "There is no image that runs.");
}

function imagePath(name) {
  return `/image/${name.split("/").map(encodeURIComponent).join("/")}`;
}

// ---------------------------------------------------------------- Words for numbers and times

function count(number) {
  return number.toLocaleString("en-GB");
}

function countOf(part, whole) {
  return whole === null ? count(part) : `${count(part)} of ${count(whole)}`;
}

/** Rounded down: 100 % is all of it. */
function percent(part) {
  return `${Math.floor(100 * part + 1e-9)}\u00a0%`;
}

function bytes(number) {
  const power = number < 1 ? 0 : Math.min(Math.floor(Math.log2(number) / 10), 5);
  const value = number / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")}\u00a0${UNITS[power]}`;
}

function duration(seconds) {
  if (seconds % 3600 === 0) return `${count(seconds / 3600)} h`;
  return `${count(Math.round(seconds / 60))} min`;
}

function hour(date) {
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** A moment by the reader's clock, with the day unless it is today. */
function clock(moment) {
  const date = new Date(moment);
  const days = Math.round((midnight(date) - midnight(new Date())) / DAY);
  const near = { 0: "", 1: "tomorrow ", "-1": "yesterday " }[days];
  return `${near ?? `${day(date)} `}${hour(date)}`;
}

function day(date, zone) {
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...zone });
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

function share(part, whole) {
  return whole ? Math.max(0, Math.min(100, (100 * part) / whole)) : 0;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

// ---------------------------------------------------------------- The document

function text(id, words) {
  setText(byId(id), words);
}

/** Only what changes is touched: a selection stays, and nothing is read out twice. */
function setText(node, words) {
  if (node.textContent !== String(words)) node.textContent = words;
}

/** What is too long for its place is told whole by its title. */
function setTitled(node, words) {
  setText(node, words);
  node.title = words;
}

function element(name, attributes = {}, words = "") {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = words;
  return node;
}

function svg(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** Make `parent`'s children tell `items`; a child stays with the item of its key. */
function reconcile(parent, items, keyOf, make, fill) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, index) => {
    const key = String(keyOf(item, index));
    const node = old.get(key) ?? make();
    old.delete(key);
    node.dataset.key = key;
    fill(node, item, index);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  for (const node of old.values()) node.remove();
}
