// A layered layout: callers left, callees right, few crossings, members of one box side by side.
// In: nodes [{id, group}], edges [{source, target}]. Out: {place: Map id → {x, y}, width, height}.
function layered(nodes, edges, {gapX = 190, gapY = 92, margin = 70} = {}) {
  const ids = new Set(nodes.map(n => n.id)), next = new Map(nodes.map(n => [n.id, []])), before = new Map(nodes.map(n => [n.id, []]))
  const known = edges.filter(e => e.source !== e.target && ids.has(e.source) && ids.has(e.target))
  // Edges that close a cycle do not count for layers.
  const outgoing = new Map(nodes.map(n => [n.id, known.filter(e => e.source === n.id)])), state = new Map()
  const visit = id => {
    state.set(id, 1)
    for (const e of outgoing.get(id)) {
      if (state.get(e.target) === 1) continue
      next.get(id).push(e.target); before.get(e.target).push(id)
      if (!state.has(e.target)) visit(e.target)
    }
    state.set(id, 2)
  }
  const called = new Set(known.map(e => e.target))
  const inOrder = [...nodes.filter(n => !called.has(n.id)), ...nodes]
  for (const n of inOrder) if (!state.has(n.id)) visit(n.id)
  const layer = new Map(), depth = id => {
    if (!layer.has(id)) layer.set(id, Math.max(-1, ...before.get(id).map(depth)) + 1)
    return layer.get(id)
  }
  nodes.forEach(n => depth(n.id))
  // What nobody calls and what calls nobody stands in a column of its own under the rest, not among the roots.
  const lonely = new Set(nodes.filter(n => !next.get(n.id).length && !before.get(n.id).length).map(n => n.id))
  const columns = []
  nodes.filter(n => !lonely.has(n.id)).forEach(n => (columns[layer.get(n.id)] ??= []).push(n))
  for (let i = 0; i < columns.length; i++) columns[i] ??= []
  const rank = new Map()
  const number = () => columns.forEach(c => c.forEach((n, i) => rank.set(n.id, i - (c.length - 1) / 2)))
  const mean = list => list.length ? list.reduce((a, b) => a + b, 0) / list.length : null
  const sort = (column, neighbours) => {
    const own = new Map(column.map(n => [n.id, mean(neighbours.get(n.id).map(id => rank.get(id)).filter(v => v !== undefined)) ?? rank.get(n.id)]))
    const groups = new Map(); column.forEach(n => { const g = n.group || n.id; groups.set(g, [...(groups.get(g) || []), own.get(n.id)]) })
    const at = n => mean(groups.get(n.group || n.id))
    column.sort((a, b) => at(a) - at(b) || (a.group || a.id).localeCompare(b.group || b.id) || own.get(a.id) - own.get(b.id) || a.name.localeCompare(b.name))
  }
  columns.forEach(c => c.sort((a, b) => (a.group || "").localeCompare(b.group || "") || a.name.localeCompare(b.name))); number()
  for (let sweep = 0; sweep < 6; sweep++) {
    columns.forEach(c => { sort(c, before); number() }); [...columns].reverse().forEach(c => { sort(c, next); number() })
  }
  columns.forEach(c => { sort(c, before); number() })
  const tallest = Math.max(1, ...columns.map(c => c.length)), place = new Map()
  const height = (tallest - 1) * gapY
  columns.forEach((c, x) => c.forEach((n, i) => place.set(n.id, {x: margin + x * gapX, y: margin + height / 2 + (i - (c.length - 1) / 2) * gapY})))
  const wide = Math.max(4, columns.length), rows = Math.ceil(lonely.size / wide), top = columns.length ? margin + height + gapY * 1.1 : margin
  ;[...lonely].forEach((id, i) => place.set(id, {x: margin + (i % wide) * gapX, y: top + Math.floor(i / wide) * gapY}))
  const columnsUsed = Math.max(columns.length, Math.min(wide, lonely.size), 1)
  return {place, width: margin * 2 + (columnsUsed - 1) * gapX, height: (rows ? top + (rows - 1) * gapY : margin + height) + margin}
}
