"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const by = id => document.getElementById(id);
const DRAWN = 10, LABELLED = 6, PATHS = 8, MOST_PATHS = 20000;
const last = data.layers.length;
let at = data.asked, picked = data.shown[data.asked].asked, timer = null;
let chosen = { layer: 1, row: 0, column: 1 };

// Numbers and names.

const escape = text => String(text).replace(/[&<>"]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const number = (value, digits = 6) => value === null || value === undefined || Number.isNaN(value) ? "not finite"
  : Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : value > 0 ? "infinity" : "-infinity";
const factor = value => value < 0 ? `(${number(value)})` : number(value);
const finite = values => values.filter(Number.isFinite);
const largest = values => Math.max(0, ...finite(values).map(Math.abs)) || 1;
const sign = value => value < 0 ? "minus" : "plus";
const comma = Math.max(...data.widths, ...data.units.map(rows => Math.max(...rows) + 1)) > 9 ? "," : "";
const unit = (layer, place) => data.units[layer][place] + 1;
const given = (layer, place) => layer === 1 ? `x_${unit(0, place)}` : `a_${unit(layer - 1, place)}^(${layer - 1})`;
const weightName = (layer, row, column) => column === 0 ? `b_${unit(layer, row)}^(${layer})`
  : `w_${unit(layer, row)}${comma}${unit(layer - 1, column - 1)}^(${layer})`;

// Arrays: their bytes lie in the page as base64, little-endian.

const opened = new Map();
function unpacked(spec, content) {
  if (opened.has(content)) return opened.get(content);
  const text = atob(content), bytes = new Uint8Array(text.length), found = {};
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  let start = 0;
  for (const [name, layer, shape] of spec) {
    const size = shape.reduce((a, b) => a * b, 1), values = new Array(size);
    for (let i = 0; i < size; i++) values[i] = view.getFloat64(8 * (start + i), true);
    found[name + layer] = { values, columns: shape[1] || 1, rows: shape[0] };
    start += size;
  }
  opened.set(content, found);
  return found;
}
const step = () => data.shown[at];
const parameters = () => unpacked(data.parameters, step().parameters);
const sample = () => unpacked(data.sample, step().each[picked].arrays);
const cell = (array, row, column) => array.values[row * array.columns + column];
// Where the run is exact, in float64, the page has no second array for that.
const value = (name, layer, place) => { const array = sample()[name + layer] || name === "exact" && sample()["delta" + layer]; return array ? array.values[place] : undefined; };
const block = (name, layer) => parameters()[name + layer] || name === "exact" && parameters()["grad" + layer];
const input = (layer, place) => layer === 1 ? value("x", 0, place) : value("a", layer - 1, place);
const of = (name, { layer, row, column }) => cell(block(name, layer), row, column);
const agree = (one, other, loss) => Math.abs(one - other) <= 1e-6 * Math.abs(other) + 1e-9 * (Math.abs(loss || 0) + Math.abs(other));

// The network.

function drawnOf(layer) {
  const count = layer === 0 ? data.units[0].length : sample()["a" + layer].values.length;
  const places = [...Array(count).keys()];
  if (count <= DRAWN) return places;
  const wanted = layer === chosen.layer ? chosen.row % count : layer === chosen.layer - 1 && chosen.column ? chosen.column - 1 : 0;
  const few = places.slice(0, DRAWN);
  if (!few.includes(wanted)) few[DRAWN - 1] = wanted;
  return few;
}

function network() {
  const width = Math.max(300, by("network").clientWidth), columns = data.widths.length + 1, edge = width < 500 ? 34 : 60;
  const drawn = data.widths.map((_, layer) => drawnOf(layer)), most = Math.max(...drawn.map(places => places.length));
  const labelled = most <= LABELLED, height = Math.max(labelled ? 240 : 260, most * (labelled ? width < 500 ? 132 : 108 : 34) + 40);
  const x = layer => edge + layer * (width - 2 * edge) / (columns - 1);
  const spot = (layer, place) => {
    const places = drawn[layer], gap = (height - 40) / most, order = places.indexOf(place);
    return [x(layer), height / 2 + gap * (order - (places.length - 1) / 2)];
  };
  const outputs = drawn[last], theta = parameters(), radius = labelled ? Math.min(17, width / columns / 5.5) : 9;
  const weights = [], parts = [], labels = [];
  for (let layer = 1; layer <= last; layer++) weights.push(...theta["before" + layer].values);
  const heaviest = largest(weights), tallest = largest(data.widths.flatMap((_, l) => drawn[l].map(p => l ? value("a", l, p) : value("x", 0, p))));
  const steepest = largest(data.layers.flatMap((_, l) => sample()["delta" + (l + 1)].values));
  const lit = new Set(), crowded = {};
  for (let layer = 1; layer <= last; layer++) {
    const array = theta["before" + layer], units = sample()["a" + layer].values.length;
    let edges = 0;
    for (let row = 0; row < array.rows; row++) {
      const into = row % units;
      if (!drawn[layer].includes(into)) continue;
      for (const place of drawn[layer - 1]) {
        const weight = cell(array, row, place + 1), [x1, y1] = spot(layer - 1, place), [x2, y2] = spot(layer, into);
        const own = layer === chosen.layer && row === chosen.row && place === chosen.column - 1;
        const above = layer > chosen.layer && (layer > chosen.layer + 1 || place === chosen.row % sample()["a" + chosen.layer].values.length);
        const on = own || above, d = `M${x1} ${y1}L${x2} ${y2}`;
        const size = 0.6 + 6 * Math.min(1, Math.abs(Number.isFinite(weight) ? weight : 0) / heaviest);
        parts.push(`<path class="weight ${sign(weight)}${on ? " lit" : ""}" stroke-width="${size.toFixed(2)}" d="${d}"/>`);
        parts.push(`<path class="hit" d="${d}" data-pick="${layer},${row},${place + 1}"><title>${weightName(layer, row, place + 1)} = ${number(weight)}</title></path>`);
        if (on) {
          lit.add(`${layer},${into}`);
          labels.push([layer, x1, y1, x2, y2, edges % 2, own ? number(input(layer, place), 3) : number(weight, 3)]);
          edges++;
        }
      }
    }
    crowded[layer] = edges > 8;
  }
  const [lossX, lossY] = [x(columns - 1), height / 2];
  for (const place of outputs) {
    const [x1, y1] = spot(last, place);
    const on = last > chosen.layer || place === chosen.row % sample()["a" + last].values.length;
    const error = data.paired ? value("exact", last, place) : value("error", last, place);
    parts.unshift(`<path class="weight ${sign(error)}${on ? " lit" : ""}" stroke-width="1.5" stroke-dasharray="4 3" d="M${x1} ${y1}L${lossX} ${lossY}"/>`);
    if (on && outputs.length <= LABELLED) labels.push([last + 1, x1, y1, lossX, lossY, 0, number(error, 3)]);
  }
  const digits = width < 500 ? 2 : 3, taken = [[lossX - radius, lossY - radius, lossX + radius, lossY + radius]];
  const box = (cx, cy, text) => [cx - 3.7 * text.length, cy - 11, cx + 3.7 * text.length, cy + 3];
  const write = (kind, cx, cy, text) => {
    taken.push(box(cx, cy, text));
    parts.push(`<text${kind} text-anchor="middle" x="${cx}" y="${cy}">${text}</text>`);
  };
  for (let layer = 0; layer <= last; layer++) {
    for (const place of drawn[layer]) {
      const [cx, cy] = spot(layer, place), a = layer ? value("a", layer, place) : value("x", 0, place);
      const on = lit.has(`${layer},${place}`) || layer === chosen.layer - 1 && place === chosen.column - 1;
      const disc = Number.isFinite(a) ? radius * Math.sqrt(Math.abs(a) / tallest) : 0;
      parts.push(`<circle class="ring${on ? " lit" : ""}" cx="${cx}" cy="${cy}" r="${radius + 1}"/>`);
      parts.push(`<circle class="disc ${sign(a)}" cx="${cx}" cy="${cy}" r="${disc.toFixed(2)}"><title>${layer ? "a" : "x"}_${unit(layer, place)} = ${number(a)}</title></circle>`);
      taken.push([cx - radius, cy - radius, cx + radius, cy + radius]);
      if (labelled) write("", cx, cy - radius - 6, number(a, digits + 1));
      if (layer) {
        const delta = value("delta", layer, place), half = Number.isFinite(delta) ? (radius + 6) * Math.abs(delta) / steepest : 0;
        parts.push(`<path class="bar ${sign(delta)}" d="M${cx - half} ${cy + radius + 7}h${2 * half}"><title>delta_${unit(layer, place)}^(${layer}) = ${number(delta)}</title></path>`);
        if (labelled) write(' class="small"', cx, cy + radius + 22, `δ ${number(delta, digits)}`);
        const slope = value("slope", layer, place);
        if (labelled && lit.has(`${layer},${place}`) && Number.isFinite(slope) && !(data.paired && layer === last)) {
          write(' class="on"', cx, cy + radius + 36, `g' ${number(slope, digits)}`);
        }
      }
    }
    const rest = data.widths[layer] - drawn[layer].length;
    const name = layer ? data.layers[layer - 1].activation : "inputs";
    parts.push(`<text class="small" text-anchor="middle" x="${x(layer)}" y="${height - 4}">${escape(name)}${rest > 0 ? `, +${rest}` : ""}</text>`);
  }
  parts.push(`<circle class="ring lit" cx="${lossX}" cy="${lossY}" r="${radius + 1}"/><text text-anchor="middle" x="${lossX}" y="${lossY + 4}">L</text>`);
  // A factor stands where nothing else does, along its line; where there is no such place, the paths below have it.
  for (const [layer, x1, y1, x2, y2, odd, text] of labels) {
    if (crowded[layer]) continue;
    for (const share of odd ? [0.6, 0.5, 0.7, 0.4, 0.3, 0.78, 0.22] : [0.42, 0.5, 0.32, 0.6, 0.7, 0.22, 0.78]) {
      const [cx, cy] = [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share - 4], [left, top, right, bottom] = box(cx, cy, text);
      if (taken.some(([l, t, r, b]) => left < r && right > l && top < b && bottom > t)) continue;
      write(' class="on"', cx, cy, text);
      break;
    }
  }
  by("network").innerHTML = `<svg class="dim" viewBox="0 0 ${width} ${height}" role="img" aria-label="the network at this step">${parts.join("")}</svg>`;
}

// The loss so far.

function loss() {
  const width = Math.max(280, by("loss").clientWidth), height = 220, left = 58, bottom = 28, names = Object.keys(data.curves);
  const points = names.flatMap(name => data.curves[name]).filter(point => point[1] !== null), values = points.map(point => point[1]);
  const now = (step().number - 1) / data.perEpoch, ends = Math.max(1, ...points.map(point => point[0]));
  const positive = values.length > 0 && Math.min(...values) > 0 && Math.max(...values) >= 3 * Math.min(...values), scale = positive ? Math.log10 : v => v;
  let low = values.length ? scale(Math.min(...values)) : 0, high = values.length ? scale(Math.max(...values)) : 1;
  if (high - low < 1e-9) { low -= 0.5; high += 0.5; }
  const x = epoch => left + (width - left - 12) * epoch / ends, y = v => 10 + (height - bottom - 10) * (high - scale(v)) / (high - low);
  const parts = [`<path class="grid" d="M${left} ${height - bottom}H${width - 12}"/>`];
  for (let i = 0; i <= 3; i++) {
    const level = low + (high - low) * i / 3, shown = number(positive ? 10 ** level : level, 3);
    const place = height - bottom - (height - bottom - 10) * i / 3;
    parts.push(`<path class="grid" d="M${left} ${place}H${width - 12}"/><text text-anchor="end" x="${left - 6}" y="${place + 4}">${shown}</text>`);
  }
  for (const epoch of new Set([0, Math.round(ends / 2), ends])) parts.push(`<text text-anchor="middle" x="${x(epoch)}" y="${height - 8}">${epoch}</text>`);
  names.forEach((name, i) => {
    const line = kept => kept.map(([epoch, v], k) => `${k ? "L" : "M"}${x(epoch).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    const known = data.curves[name].filter(point => point[1] !== null), past = known.filter(point => point[0] <= now);
    const next = known[past.length], before = past[past.length - 1];
    const share = next && before ? (now - before[0]) / (next[0] - before[0]) : 0;
    const here = share ? [now, positive ? before[1] * (next[1] / before[1]) ** share : before[1] + (next[1] - before[1]) * share] : before;
    parts.push(`<path class="line ahead c${i}" d="${line(known)}"/><path class="line c${i}" d="${line(here ? [...past, here] : past)}"/>`);
    if (here) parts.push(`<circle class="spot c${i}" cx="${x(here[0])}" cy="${y(here[1])}" r="4"/>`);
  });
  parts.push(`<path class="cursor" d="M${x(now)} 10V${height - bottom}"/>`);
  by("loss").innerHTML = `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="loss over epochs">${parts.join("")}</svg>`;
  by("legend").innerHTML = names.map((name, i) => `<li><span class="key c${i}"></span>${name}</li>`).join("");
  by("losses").textContent = `Loss over epochs${positive ? ", logarithmic" : ""}: so far, and pale what follows. Of the samples of this step: ${number(step().loss)} before it, ${number(step().after)} after it.`;
}

// The paths of the chain rule from the loss to the chosen weight.

function allPaths() {
  const { layer, row, column } = chosen, found = [], theta = parameters();
  if (!data.complete || data.layers.slice(layer - 1).some((one, i) => one.pieces > 1 || !(one.elementwise || data.paired && layer + i === last))) return null;
  let count = 1;
  for (let above = layer + 1; above <= last; above++) count *= data.widths[above];
  if (count > MOST_PATHS) return null;
  const start = (above, place) => data.paired && above === last
    ? [[`dL/dz_${unit(last, place)}^(${last})`, value("exact", last, place)]]
    : [...(above === last ? [[`dL/dy_pred_${unit(last, place)}`, value("error", last, place)]] : []), [`g_${above}'(z_${unit(above, place)}^(${above}))`, value("slope", above, place)]];
  const go = (above, place, factors) => {
    const own = [...start(above, place), ...factors];
    if (above === last) { found.push(own); return; }
    for (let next = 0; next < theta["before" + (above + 1)].rows; next++) {
      go(above + 1, next, [[weightName(above + 1, next, place + 1), cell(theta["before" + (above + 1)], next, place + 1)], ...own]);
    }
  };
  go(layer, row, column ? [[given(layer, column - 1), input(layer, column - 1)]] : []);
  return found.map(factors => ({ factors, product: factors.reduce((total, [, v]) => total * v, 1) }));
}

function paths() {
  const { layer, row, column } = chosen, name = weightName(layer, row, column), lines = [];
  const grad = of("grad", chosen), exact = of("exact", chosen), difference = of("difference", chosen);
  const delta = value("exact", layer, row), part = delta * (column ? input(layer, column - 1) : 1);
  const found = allPaths();
  if (found) {
    const shown = [...found].sort((one, other) => Math.abs(other.product) - Math.abs(one.product)).slice(0, PATHS);
    for (const { factors, product } of shown) lines.push(equation("path", [factors.map(([symbol]) => symbol).join("·"), factors.map(([, v]) => factor(v)).join("·"), number(product)], ""));
    if (found.length > 1) lines.push(equation(`${found.length} paths`, [found.length > shown.length ? `the ${shown.length} largest above, and the others` : shown.map(path => factor(path.product)).join(" + "), number(part)], ""));
  } else {
    lines.push(equation("this sample", [`delta_${unit(layer, row)}^(${layer})${column ? ` ${given(layer, column - 1)}` : ""}`, column ? `${factor(delta)}·${factor(input(layer, column - 1))}` : number(delta), number(part)], "", "single paths are not told apart here: too many, or units depend on one another"));
  }
  const several = step().samples > 1, checked = !Number.isNaN(difference), right = agree(exact, difference, step().loss);
  const other = data.rule.replaces && !agree(grad, exact, step().loss);
  lines.push(equation(`dL/d${name}`, [several ? `mean over ${step().samples} samples` : "the sum of the paths", number(exact, 9)], checked ? other ? "other" : right ? "right" : "wrong" : "",
    `${checked ? `central difference ${number(difference, 9)}` : "not checked"}${other ? `; rule=${data.rule.name} says ${number(grad, 9)}, which the run uses` : ""}`));
  const kept = Object.keys(parameters()).filter(key => key.startsWith("state ") && key.endsWith(String(layer)))
    .map(key => `${key.slice(6, -String(layer).length)} ${number(of(key.slice(0, -String(layer).length), chosen))}`);
  lines.push(equation(name, [`${number(of("before", chosen), 9)} → ${number(of("after", chosen), 9)}`], "", [step().rate === null ? "" : `lr ${number(step().rate)}`, ...kept].filter(Boolean).join(", "), true));
  by("paths").innerHTML = `<div class="equations">${lines.join("")}</div>`;
}

function equation(symbol, sides, mark, note = "", arrow = false) {
  const sign = { right: "✓", wrong: "✗", other: "≠" }[mark] || "", end = sides[sides.length - 1];
  const before = sides.slice(0, -1).map((side, i) => `${i || !arrow ? "= " : "← "}${escape(side)} `).join("");
  const title = { right: "agrees with central differences", wrong: "does not agree with central differences", other: "the rule says something else" }[mark] || "";
  return `<div class="one ${mark}"><span class="symbol">${escape(symbol)}</span><span class="sides">${before}${arrow && sides.length === 1 ? "← " : "= "}<span class="value">${escape(end)}</span>${note ? ` <span class="note">${escape(note)}</span>` : ""}</span><span class="mark ${mark}" title="${title}">${sign}</span></div>`;
}

// Equations of small networks; tables and heat maps of large ones.

let open = new Set([0, 1, 2]);
function prose() {
  const word = place => data.words[place];
  by("text").innerHTML = step().each[picked].sections.map(([title, remark, rows], i) => `<details data-part="${i}"${open.has(i) ? " open" : ""}>
<summary>${escape(word(title))}</summary>${word(remark) ? `<p class="soft">${escape(word(remark))}</p>` : ""}<div class="equations">${rows.map(([symbol, sides, mark, note, arrow]) => equation(word(symbol), sides.map(word), mark, word(note), Boolean(arrow))).join("")}</div></details>`).join("");
}

function tables() {
  const parts = [`<p class="soft">${escape(data.words[step().verdict])} ${data.mixes ? "A norm mixes the samples of a step." : ""}</p><div class="maps">`];
  for (let layer = 1; layer <= last; layer++) for (const [name, title] of [["before", "weights"], ["grad", "gradient"], ...(data.rule.replaces ? [["exact", "exact gradient"]] : [])]) {
    const array = block(name, layer);
    parts.push(`<figure><canvas data-map="${name},${layer}" width="${array.columns - 1}" height="${array.rows}"></canvas><figcaption>${title} of layer ${layer}: ${array.rows} x ${array.columns - 1}${data.complete ? "" : ` of ${data.widths[layer]} x ${data.widths[layer - 1]}`}, up to ${number(largest(array.values), 3)}</figcaption></figure>`);
  }
  parts.push("</div>");
  for (let layer = 1; layer <= last; layer++) {
    const rows = sample()["z" + layer].values.map((z, row) => {
      const delta = value("delta", layer, row), exact = value("exact", layer, row), difference = value("difference", layer, row);
      const mark = agree(exact, difference, step().loss) ? data.rule.replaces && !agree(delta, exact, step().loss) ? "other" : "right" : "wrong";
      const a = value("a", layer, row);
      return `<tr><td class="n">${unit(layer, row)}</td><td class="n">${number(z)}</td><td class="n">${a === undefined ? "" : number(a)}</td><td class="n">${number(delta)}</td>${data.rule.replaces ? `<td class="n">${number(exact)}</td>` : ""}<td class="n">${number(difference)}</td><td class="mark ${mark}">${{ right: "✓", wrong: "✗", other: "≠" }[mark]}</td></tr>`;
    });
    parts.push(`<details data-part="${layer}"${open.has(layer) ? " open" : ""}><summary>Layer ${layer}: ${escape(data.layers[layer - 1].activation)}${data.layers[layer - 1].formula ? `, ${escape(data.layers[layer - 1].formula)}` : ""}</summary><div class="wide"><table><thead><tr><th class="n">unit</th><th class="n">z</th><th class="n">a</th><th class="n">delta</th>${data.rule.replaces ? '<th class="n">exact</th>' : ""}<th class="n">central difference</th><th></th></tr></thead><tbody>${rows.join("")}</tbody></table></div></details>`);
  }
  by("text").innerHTML = parts.join("");
  for (const canvas of by("text").querySelectorAll("canvas")) heat(canvas);
}

function heat(canvas) {
  const [name, layer] = canvas.dataset.map.split(","), array = block(name, layer), context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height), most = largest(array.values);
  const style = getComputedStyle(document.documentElement), colour = key => rgb(style.getPropertyValue(key));
  const plus = colour("--c0"), minus = colour("--c1"), zero = colour("--page");
  for (let row = 0; row < array.rows; row++) for (let column = 1; column < array.columns; column++) {
    const v = cell(array, row, column), share = Number.isFinite(v) ? Math.min(1, Math.abs(v) / most) ** 0.7 : 1, full = v < 0 ? minus : plus;
    const place = 4 * (row * (array.columns - 1) + column - 1);
    for (let k = 0; k < 3; k++) image.data[place + k] = zero[k] + (full[k] - zero[k]) * share;
    image.data[place + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
function rgb(text) {
  const hex = text.trim().slice(1), wide = hex.length === 3 ? [...hex].map(c => c + c).join("") : hex;
  return [0, 2, 4].map(i => parseInt(wide.slice(i, i + 2), 16));
}

// What can be chosen.

function options(select, names, value) {
  select.innerHTML = names.map((name, i) => `<option value="${i}">${escape(name)}</option>`).join("");
  select.value = String(value);
}
function picks() {
  const { layer } = chosen, array = parameters()["before" + layer];
  chosen.row = Math.min(chosen.row, array.rows - 1);
  chosen.column = Math.min(chosen.column, array.columns - 1);
  options(by("layer"), data.layers.map((_, i) => `${i + 1}`), layer - 1);
  options(by("row"), data.units[layer].map(row => `${row + 1}`), chosen.row);
  const from = data.units[layer - 1].slice(0, array.columns - 1).map((column, place) => layer === 1 ? data.inputs[column] ? `x_${column + 1}, ${data.inputs[column]}` : `x_${column + 1}` : given(layer, place));
  options(by("column"), ["1 (bias)", ...from], chosen.column);
}

function render() {
  const now = step();
  picked = Math.min(picked, now.each.length - 1);
  by("steps").max = data.shown.length - 1;
  by("steps").value = at;
  by("sampling").hidden = now.each.length === 1;
  options(by("sample"), now.each.map(one => `${one.sample + 1} of ${now.samples}`), picked);
  const told = list => list.length > 4 && list.length === data.classes.length ? data.classes[list.indexOf(Math.max(...list))]
    : list.slice(0, 8).map(v => number(v, 4)).join(", ") + (list.length > 8 ? " ..." : "");
  const truth = told(sample().y0.values), said = told(sample()["a" + last].values);
  by("where").textContent = `Step ${now.number} of ${data.steps}, in epoch ${now.epoch + 1} of ${data.epochs}. Sample ${now.each[picked].sample + 1} of ${now.samples}: true ${truth}, predicted ${said}.`;
  picks();
  network();
  loss();
  paths();
  if (data.prose) prose(); else tables();
}
const move = place => { at = Math.max(0, Math.min(data.shown.length - 1, place)); render(); };
const walk = by_ => { const many = step().each.length; picked = (picked + by_ + many) % many; render(); };
function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => at + 1 < data.shown.length ? move(at + 1) : play(false), 350) : null;
  by("play").textContent = on ? "stop" : "play";
}
by("steps").addEventListener("input", event => move(Number(event.target.value)));
by("back").addEventListener("click", () => move(at - 1));
by("on").addEventListener("click", () => move(at + 1));
by("play").addEventListener("click", () => { if (timer === null && at + 1 === data.shown.length) at = 0; play(timer === null); });
by("sample").addEventListener("change", event => { picked = Number(event.target.value); render(); });
by("layer").addEventListener("change", event => { chosen = { layer: Number(event.target.value) + 1, row: 0, column: 1 }; render(); });
by("row").addEventListener("change", event => { chosen.row = Number(event.target.value); render(); });
by("column").addEventListener("change", event => { chosen.column = Number(event.target.value); render(); });
by("network").addEventListener("click", event => {
  const pick = event.target.closest("[data-pick]");
  if (!pick) return;
  const [layer, row, column] = pick.dataset.pick.split(",").map(Number);
  chosen = { layer, row, column };
  render();
});
by("text").addEventListener("click", event => {
  const canvas = event.target.closest("canvas");
  if (!canvas) return;
  const box = canvas.getBoundingClientRect(), inside = (v, low, size, count) => Math.max(0, Math.min(count - 1, Math.floor((v - low) / size * count)));
  chosen = { layer: Number(canvas.dataset.map.split(",")[1]), row: inside(event.clientY, box.top, box.height, canvas.height), column: 1 + inside(event.clientX, box.left, box.width, canvas.width) };
  render();
});
by("text").addEventListener("toggle", event => {
  const part = Number(event.target.dataset.part);
  if (event.target.open) open.add(part); else open.delete(part);
}, true);
document.addEventListener("keydown", event => {
  if (event.target.closest("select, summary, button") || event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = { ArrowLeft: () => move(at - 1), ArrowRight: () => move(at + 1), Home: () => move(0), End: () => move(data.shown.length - 1),
    ArrowUp: () => walk(-1), ArrowDown: () => walk(1), " ": () => play(timer === null) };
  if (!acts[event.key] || (event.key.startsWith("Arrow") && "UpDown".includes(event.key.slice(5)) && step().each.length === 1)) return;
  event.preventDefault();
  acts[event.key]();
});
addEventListener("resize", () => { network(); loss(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
// The weight with the largest gradient at the beginning, on the longest way from the loss.
const first = block("exact", 1), sizes = first.values.map((v, i) => i % first.columns ? Math.abs(v) || 0 : -1), steepest = sizes.indexOf(Math.max(...sizes));
chosen = { layer: 1, row: Math.floor(steepest / first.columns), column: steepest % first.columns };
render();
})();
