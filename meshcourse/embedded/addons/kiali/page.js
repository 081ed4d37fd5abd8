const $ = id => document.getElementById(id), NS = "http://www.w3.org/2000/svg"
const base = (location.pathname.match(/^(.*?)\/(console(\/.*)?)?$/) || ["", location.pathname])[1]
const COLOURS = {Healthy: "#3a7d44", Degraded: "#c98300", Failure: "#c5221f", "Not Ready": "#3577b8", NA: "#9aa4ae"}
const el = (tag, props = {}, ...kids) => { const e = Object.assign(document.createElement(tag), props); e.append(...kids); return e }
const draw = (tag, attributes = {}, ...kids) => { const e = document.createElementNS(NS, tag); for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v); e.append(...kids); return e }
const asked = new URLSearchParams(location.search)
const chosen = new Set((asked.get("namespaces") || "").split(",").filter(Boolean))
let graph = null, picked = null, drawn = "", edges = [], timer = 0, busy = false
const size = v => v >= 1e6 ? (v / 1e6).toFixed(1) + " MB/s" : v >= 1e3 ? (v / 1e3).toFixed(1) + " kB/s" : Math.round(v) + " B/s"
const time = ms => ms >= 1000 ? (ms / 1000).toFixed(2) + " s" : Math.round(ms) + " ms"
const short = v => v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2)

async function get(path) {
  const answer = await fetch(base + path), body = await answer.json().catch(() => ({error: answer.statusText}))
  if (!answer.ok) throw new Error(body.error || answer.statusText)
  return body
}
const rateOf = d => { const t = d.traffic || {}, r = t.rates || {}; return +(r[t.protocol] || 0) }
const failedOf = d => +((d.traffic?.rates || {})[d.traffic?.protocol + "PercentErr"] || 0)
const colourOf = d => !rateOf(d) ? COLOURS.NA : d.traffic.protocol === "tcp" ? "#3577b8" : COLOURS[d.healthStatus] || COLOURS.NA
const stateOf = d => d.healthData?.status?.status || "NA"
const nameOf = d => d.nodeType === "unknown" ? "outside" : d.nodeType === "service" ? d.service : d.nodeType === "app" ? d.app : d.workload
const versionOf = d => d.version && d.version !== "unknown" ? d.version : ""
const fullName = d => [nameOf(d), d.nodeType === "app" ? versionOf(d) : ""].filter(Boolean).join(" ")

function labelOf(d) {
  const mode = $("labels").value, protocol = d.traffic?.protocol, rates = d.traffic?.rates || {}, rate = rateOf(d)
  if (!rate || mode === "none") return ""
  if (protocol === "tcp") return mode === "time" || mode === "share" ? "" : size(rate)
  const failed = failedOf(d), bad = failed ? ` · ${failed.toFixed(failed < 10 ? 1 : 0)} % err` : ""
  if (mode === "rate") return short(rate) + " rps" + bad
  if (mode === "share") return rates[protocol + "PercentReq"] ? rates[protocol + "PercentReq"] + " %" + bad : ""
  if (mode === "time") return d.responseTime ? time(+d.responseTime) : ""
  return d.throughput ? size(+d.throughput) : ""
}

function shape(d) {
  const stroke = COLOURS[d.isIdle ? "NA" : stateOf(d)]
  if (d.nodeType === "service") return draw("path", {class: "shape", d: "M0 -19 L20 16 L-20 16 Z", stroke, "stroke-linejoin": "round"})
  if (d.nodeType === "app") return draw("rect", {class: "shape", x: -17, y: -17, width: 34, height: 34, rx: 5, stroke})
  return draw("circle", {class: "shape", r: 18, stroke})
}
const BADGES = [["hasFaultInjection", "FAULT"], ["hasTrafficShifting", "SPLIT"], ["hasRequestRouting", "MATCH"], ["hasMirroring", "MIRROR"], ["hasRequestTimeout", "TIMEOUT"], ["hasCB", "CB"]]
function badgesOf(d) {
  const found = BADGES.filter(([k]) => d[k]).map(([, t]) => t)
  if (d.hasVS && !found.some(t => t !== "CB")) found.unshift("VS")
  if (d.isGateway) found.unshift("GATEWAY")
  if (d.isOutOfMesh) found.push("NO PROXY")
  return found
}
function badges(d) {
  const group = draw("g"), found = badgesOf(d); let x = 0
  const widths = found.map(t => t.length * 5.6 + 8), total = widths.reduce((a, b) => a + b + 3, -3)
  found.forEach((t, i) => { group.append(draw("g", {class: "badge" + (t === "FAULT" ? " fault" : ""), transform: `translate(${x - total / 2},-36)`}, draw("rect", {width: widths[i], height: 13, rx: 3}), Object.assign(draw("text", {x: widths[i] / 2, y: 9.5}), {textContent: t}))); x += widths[i] + 3 })
  return group
}
function node(d, at) {
  const group = draw("g", {class: `node ${d.isIdle ? "idle" : ""}`, transform: `translate(${at.x},${at.y})`, "data-id": d.id, tabindex: 0})
  group.append(shape(d), badges(d), Object.assign(draw("text", {y: 33}), {textContent: d.nodeType === "app" && d.parent ? versionOf(d) || nameOf(d) : nameOf(d)}))
  const below = d.nodeType === "app" && !d.parent ? versionOf(d) : ""
  if (below || d.isOutside) group.append(Object.assign(draw("text", {class: "small", y: 46}), {textContent: d.isOutside ? d.namespace : below}))
  group.addEventListener("click", () => pick(d.id)); return group
}
// Lines start and end at the shapes; both directions of a pair bend apart.
function curve(a, b, back) {
  if (a === b) return `M${a.x - 8} ${a.y - 18} C${a.x - 40} ${a.y - 70} ${a.x + 40} ${a.y - 70} ${a.x + 8} ${a.y - 22}`
  if (b.x <= a.x) return `M${a.x} ${a.y - 22} C${a.x} ${a.y - 78} ${b.x} ${b.y - 78} ${b.x} ${b.y - 24}`
  const x1 = a.x + 22, x2 = b.x - 25, middle = (x1 + x2) / 2, y1 = a.y + (back ? 6 : 0), y2 = b.y + (back ? 6 : 0)
  return `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`
}
function edge(d, place, back) {
  const path = curve(place.get(d.source), place.get(d.target), back), colour = colourOf(d)
  const group = draw("g", {class: "edge", "data-id": d.id, tabindex: 0})
  group.append(draw("path", {class: "hit", d: path}), draw("path", {class: "line", d: path}), draw("path", {class: "head", d: "M-8 -4.5 L0 0 L-8 4.5 Z"}), draw("g", {class: "dots"}), draw("use", {class: "lock", href: "#lock", visibility: "hidden"}), draw("text", {}))
  group.addEventListener("click", () => pick(d.id)); return group
}
function refreshEdge(entry) {
  const {group, d} = entry, line = group.querySelector(".line"), length = line.getTotalLength(), colour = colourOf(d)
  const middle = line.getPointAtLength(length * .5), end = line.getPointAtLength(length), near = line.getPointAtLength(length - 6)
  group.setAttribute("class", `edge ${d.healthStatus || ""} ${picked === d.id ? "on" : ""}`)
  group.dataset.colour = colour; line.setAttribute("stroke", colour)
  const head = group.querySelector(".head"); head.setAttribute("fill", colour)
  head.setAttribute("transform", `translate(${end.x},${end.y}) rotate(${Math.atan2(end.y - near.y, end.x - near.x) * 180 / Math.PI})`)
  const text = group.querySelector("text"), label = labelOf(d); text.textContent = label
  text.setAttribute("x", middle.x); text.setAttribute("y", middle.y - 8)
  const lock = group.querySelector(".lock"), whole = +(d.isMTLS || 0) >= 99.5
  lock.setAttribute("visibility", d.isMTLS ? "visible" : "hidden"); lock.setAttribute("opacity", whole ? 1 : .45)
  const at = line.getPointAtLength(length * .5); lock.setAttribute("x", at.x); lock.setAttribute("y", at.y + 1)
  entry.length = length; entry.line = line
  const rate = rateOf(d), wanted = !rate || !$("move").checked ? 0 : Math.max(1, Math.min(8, Math.round(1 + Math.log2(1 + (d.traffic.protocol === "tcp" ? rate / 1000 : rate))))), dots = group.querySelector(".dots")
  while (dots.childElementCount > wanted) dots.lastChild.remove()
  while (dots.childElementCount < wanted) dots.append(draw("circle", {r: 3.2}))
  const bad = Math.round(wanted * failedOf(d) / 100)
  ;[...dots.children].forEach((dot, i) => { const failed = i < Math.max(bad, failedOf(d) > 0 ? 1 : 0); dot.setAttribute("fill", failed ? COLOURS.Failure : colour); dot.setAttribute("r", failed ? 4 : 3.2) })
  entry.speed = 35 + Math.min(120, rate * 6)
}
function boxes(found, place) {
  const group = draw("g")
  for (const box of found.filter(d => d.isBox)) {
    const members = found.filter(d => d.parent === box.id && place.has(d.id)), inside = members.map(d => place.get(d.id)); if (!inside.length) continue
    const title = box.app || box.namespace, half = Math.max(44, ...members.map(d => nameOf(d).length * (d.nodeType === "service" ? 3.5 : 0)), members.length > 1 && new Set(inside.map(p => p.x)).size > 1 ? 0 : title.length * 3.5 + 4)
    const xs = inside.map(p => p.x), ys = inside.map(p => p.y), x = Math.min(...xs) - half, y = Math.min(...ys) - 40
    group.append(draw("g", {class: "box"}, draw("rect", {x, y, width: Math.max(...xs) + half - x, height: Math.max(...ys) + 56 - y, rx: 8}), Object.assign(draw("text", {x: x + 7, y: Math.max(...ys) + 51}), {textContent: title})))
  }
  return group
}
function show() {
  const found = graph.elements.nodes.map(n => n.data), lines = graph.elements.edges.map(e => e.data), plain = found.filter(d => !d.isBox)
  const signature = JSON.stringify([found.map(d => [d.id, d.parent, d.isIdle, stateOf(d), badgesOf(d)]), lines.map(d => d.id)])
  if (signature !== drawn) {
    drawn = signature
    const {place, width, height} = layered(plain.map(d => ({id: d.id, group: d.parent, name: fullName(d)})), lines), pairs = new Set(lines.map(d => d.source + d.target))
    $("svg").setAttribute("viewBox", `0 0 ${Math.max(width, 520)} ${Math.max(height, 220)}`)
    $("svg").style.maxWidth = Math.max(width, 520) * 1.35 + "px"
    const shown = lines.filter(d => place.has(d.source) && place.has(d.target))
    edges = shown.map(d => ({group: edge(d, place, pairs.has(d.target + d.source) && d.source > d.target), d, phase: Math.random()}))
    $("svg").replaceChildren(boxes(found, place), ...edges.map(e => e.group), ...plain.map(d => node(d, place.get(d.id))))
  }
  const current = new Map(lines.map(d => [d.id, d]))
  edges.forEach(e => { e.d = current.get(e.d.id) || e.d; refreshEdge(e) })
  document.querySelectorAll(".node").forEach(n => n.classList.toggle("on", n.dataset.id === picked))
  empty(plain, lines); aside()
}
function empty(nodes, lines) {
  const silent = !lines.some(rateOf), box = $("empty"); box.hidden = nodes.length > 0 || !silent
  if (!box.hidden) box.replaceChildren(el("strong", {textContent: `No traffic in the last ${$("duration").selectedOptions[0].textContent} in ${[...chosen].join(", ")}`}), el("span", {textContent: "The graph is drawn from requests that proxies reported. Send some, or look further back."}), el("span", {textContent: "“idle” also shows what nobody calls."}))
  $("svg").style.visibility = box.hidden ? "visible" : "hidden"
}
function fail(error) {
  drawn = ""; edges = []; $("svg").replaceChildren(); $("empty").hidden = false
  $("empty").replaceChildren(el("strong", {textContent: "No graph"}), el("span", {textContent: error.message}))
  if (/Prometheus/.test(error.message)) $("empty").append(el("code", {textContent: "kubectl apply -f labs/addons/prometheus.yaml"}))
}
function pick(id) { picked = picked === id ? null : id; show() }
const rows = pairs => { const list = el("dl"); pairs.filter(([, v]) => v !== undefined && v !== "").forEach(([k, v]) => list.append(el("dt", {textContent: k}), el("dd", {}, v))); return list }
const pill = (text, kind) => el("span", {className: "pill " + (kind || text), textContent: text})
function aside() {
  const side = $("side"), e = graph.elements.edges.find(x => x.data.id === picked)?.data, n = graph.elements.nodes.find(x => x.data.id === picked)?.data
  side.replaceChildren(...(e ? aboutEdge(e) : n ? aboutNode(n) : aboutAll()))
}
function aboutAll() {
  const lines = graph.elements.edges.map(x => x.data), http = lines.filter(d => d.traffic?.protocol !== "tcp")
  const entering = graph.elements.nodes.map(x => x.data).filter(d => d.isRoot), total = entering.reduce((sum, d) => sum + (d.traffic || []).reduce((s, t) => s + +(t.rates[t.protocol + "Out"] || 0) * (t.protocol !== "tcp"), 0), 0)
  const failing = http.filter(d => d.healthStatus === "Failure" && rateOf(d))
  return [el("h2", {textContent: "Current graph"}), rows([["requests entering", short(total) + " rps"], ["nodes", String(graph.elements.nodes.filter(x => !x.data.isBox).length)], ["edges", String(lines.length)], ["failing edges", failing.length ? pill(String(failing.length), "Failure") : "0"], ["edges with mutual TLS", `${lines.filter(d => d.isMTLS).length} of ${lines.length}`]]), el("p", {className: "note", textContent: "Click an edge for its response codes, or a node for its health."})]
}
function aboutEdge(d) {
  const of = id => graph.elements.nodes.find(x => x.data.id === id)?.data || {}, t = d.traffic || {}, r = t.rates || {}, p = t.protocol, from = of(d.source), to = of(d.target)
  const out = [el("h2", {textContent: `${fullName(from)} → ${fullName(to)}`}), d.healthStatus && rateOf(d) ? pill(d.healthStatus) : ""]
  const list = [["protocol", p], ["rate", p === "tcp" ? size(rateOf(d)) : rateOf(d) ? r[p] + " rps" : "none"], ["errors", r[p + "PercentErr"] ? r[p + "PercentErr"] + " %" : p === "tcp" ? "" : "0 %"], ["share of caller's requests", r[p + "PercentReq"] ? r[p + "PercentReq"] + " %" : ""], ["95th percentile", d.responseTime ? time(+d.responseTime) : ""], ["response bytes", d.throughput ? size(+d.throughput) : ""], ["mutual TLS", d.isMTLS ? d.isMTLS + " %" : "no"]]
  out.push(el("h3", {textContent: "Traffic"}), rows(list))
  const codes = Object.entries(t.responses || {}).map(([code, x]) => [code, x.flags || {}, Object.values(x.flags || {}).reduce((a, b) => a + +b, 0)]).sort((a, b) => a[0].localeCompare(b[0]))
  if (codes.length && p !== "tcp") {
    const table = el("table", {}, el("tr", {}, el("th", {textContent: "code"}), el("th", {textContent: "flags"}), el("th", {className: "n", textContent: "share"}))), bar = el("div", {className: "bar"})
    for (const [code, flags, total] of codes) {
      bar.append(el("i", {style: `width:${total}%;background:${code[0] === "5" || code === "-" ? COLOURS.Failure : code[0] === "4" ? COLOURS.Degraded : code[0] === "3" ? "#3577b8" : COLOURS.Healthy}`}))
      Object.entries(flags).forEach(([flag, share]) => table.append(el("tr", {}, el("td", {textContent: code}), el("td", {textContent: flag}), el("td", {className: "n", textContent: share + " %"}))))
    }
    out.push(el("h3", {textContent: "Responses"}), bar, table)
  }
  if (d.sourcePrincipal || d.destPrincipal) out.push(el("h3", {textContent: "Principals"}), el("div", {}, el("code", {textContent: d.sourcePrincipal || "unknown"})), el("div", {}, "→ ", el("code", {textContent: d.destPrincipal || "unknown"})))
  return out
}
function aboutNode(d) {
  const kind = {app: "App", service: "Service", workload: "Workload", box: "Box", unknown: "Outside the mesh"}[d.nodeType], out = [el("h2", {textContent: `${kind} ${d.nodeType === "unknown" ? "" : fullName(d)}`}), pill(stateOf(d))]
  const ready = d.healthData?.workloadStatus ? [d.healthData.workloadStatus] : d.healthData?.workloadStatuses || []
  out.push(el("h3", {textContent: "What it is"}), rows([["namespace", d.namespace], ["workload", d.workload], ["version", versionOf(d)], ["ready pods", ready.map(s => `${s.availableReplicas}/${s.desiredReplicas}`).join(", ")], ["istio", badgesOf(d).join(", ").toLowerCase()], ["virtual service for", (d.hasVS?.hostnames || []).join(", ")]]))
  for (const t of d.traffic || []) out.push(el("h3", {textContent: t.protocol === "tcp" ? "TCP, bytes per second" : t.protocol.toUpperCase() + ", requests per second"}), rows(Object.entries(t.rates).map(([k, v]) => [k.replace(t.protocol, "").replace(/^In(?=.)/, "in, ").replace(/^(In|Out)$/, w => w.toLowerCase()), v])))
  if (d.isIdle) out.push(el("p", {className: "note", textContent: "No traffic in this time."}))
  return out
}
async function validations() {
  const body = await get("/api/istio/config?namespaces=" + [...chosen].join(",")), found = []
  for (const [kind, objects] of Object.entries(body.validations)) for (const v of Object.values(objects)) for (const c of v.checks) found.push({...c, kind: kind.split("Kind=").pop(), object: v})
  const weight = {error: 0, warning: 1}; found.sort((a, b) => (weight[a.severity] ?? 2) - (weight[b.severity] ?? 2) || a.code.localeCompare(b.code))
  $("count").textContent = found.filter(c => c.severity !== "unknown").length || ""
  const number = Object.values(body.resources).reduce((n, list) => n + list.length, 0), card = el("div", {className: "card"}, el("h2", {textContent: `Validations of ${number} Istio objects in ${[...chosen].join(", ")}`}))
  if (!found.length) card.append(el("p", {className: "note", textContent: number ? "Nothing to object to." : "There are no Istio objects in these namespaces yet."}))
  else card.append(el("table", {}, el("tr", {}, ...["", "Code", "Object", "What", "Where"].map(t => el("th", {textContent: t}))), ...found.map(c => el("tr", {}, el("td", {}, pill(c.severity)), el("td", {}, el("code", {textContent: c.code})), el("td", {textContent: `${c.kind} ${c.object.name}.${c.object.namespace}`}), el("td", {textContent: c.message + (c.object.references.length ? " (" + c.object.references.map(r => r.name + "." + r.namespace).join(", ") + ")" : "")}), el("td", {}, el("code", {textContent: c.path}))))))
  $("validations-view").replaceChildren(card)
}
async function update() {
  if (busy) return
  busy = true
  try {
    const query = new URLSearchParams({namespaces: [...chosen].join(","), duration: $("duration").value + "s", graphType: $("type").value, injectServiceNodes: $("inject").checked && $("type").value !== "service", appenders: "deadNode,securityPolicy,responseTime,throughput,istio,health" + ($("idle").checked ? ",idleNode" : "")})
    const [found] = await Promise.all([get("/api/namespaces/graph?" + query), validations()])
    graph = found; show(); say(`as of ${new Date().toLocaleTimeString()}`, "")
  } catch (error) { fail(error); say("no answer: retrying", "bad") } finally { busy = false }
}
const say = (text, kind) => { $("state").textContent = text; $("state").className = "note " + kind }
function schedule() { clearInterval(timer); const every = +$("refresh").value; if (every) timer = setInterval(() => { if (!document.hidden) update() }, every * 1000) }
function route() { const on = location.hash === "#validations"; $("graph-view").hidden = on; $("legend").hidden = on; $("validations-view").hidden = !on; $("to-graph").className = on ? "" : "on"; $("to-validations").className = on ? "on" : "" }
let last = 0
function move(now) {
  const step = Math.min(.1, (now - last) / 1000); last = now
  if (!document.hidden) for (const e of edges) {
    const dots = e.group.querySelector(".dots").children; if (!dots.length || !e.length) continue
    e.phase = (e.phase + step * e.speed / e.length) % 1
    ;[...dots].forEach((dot, i) => { const p = e.line.getPointAtLength(((e.phase + i / dots.length) % 1) * e.length); dot.setAttribute("cx", p.x); dot.setAttribute("cy", p.y) })
  }
  requestAnimationFrame(move)
}
async function start() {
  try {
    const spaces = (await get("/api/namespaces")).map(n => n), quiet = /^kube-/
    for (const name of [...chosen]) if (!spaces.some(n => n.name === name)) chosen.delete(name)
    if (!chosen.size) spaces.filter(n => n.revision || n.name === "default").forEach(n => chosen.add(n.name))
    $("list").replaceChildren(...spaces.map(n => { const box = el("input", {type: "checkbox", checked: chosen.has(n.name)}); box.addEventListener("change", () => { if (box.checked) chosen.add(n.name); else chosen.delete(n.name); if (!chosen.size) { chosen.add(n.name); box.checked = true } $("chosen").textContent = [...chosen].join(", "); update() }); return el("label", {}, box, " " + n.name) }))
    $("chosen").textContent = [...chosen].join(", ")
  } catch (error) { fail(error); setTimeout(start, 2000); return }
  await update(); schedule()
}
if (matchMedia("(prefers-reduced-motion: reduce)").matches) $("move").checked = false
$("duration").value = {10: 10, 15: 15, 30: 30, 60: 60, 300: 300, 600: 600}[asked.get("duration")] || 15
$("type").value = ["app", "workload", "service"].includes(asked.get("graphType")) ? asked.get("graphType") : "versionedApp"
for (const id of ["type", "duration", "labels", "inject", "idle", "move"]) $(id).addEventListener("change", () => { drawn = ""; update() })
$("refresh").addEventListener("change", schedule); addEventListener("hashchange", route); route(); start(); requestAnimationFrame(move)
