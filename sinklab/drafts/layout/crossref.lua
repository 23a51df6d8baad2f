-- Numbers and cross references of a draft: clauses, annexes, tables, figures, equations.
--
-- In Word they are live fields (SEQ with a bookmark, REF to it), headings are numbered by their styles;
-- elsewhere numbers are text and references are links. Whatever is wrong is collected and told to the
-- program that called pandoc, one line each: "draft-problem<TAB>kind<TAB>what".
--
--   # Contents {.front .contents}  with  ::: contents  behind it
--   # Scope {#sec:scope}     # Foreword {.front}     # Parameters {.annex kind=normative #sec:parameters}
--   ## tree biomass {.term}  $$ a = b $$ {#eq:a}     Table: Caption {#tbl:a}   ![Caption](a.png){#fig:a}
--   [@sec:scope]  [@tbl:a; @tbl:b]  [@fig:a]  [@eq:a]

local DOCX, TYPST = FORMAT == "docx", FORMAT == "typst"
local LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ" -- I and O look like digits
local GAP = "\u{3000}"

local WORDS = {
  zh = {
    tbl = "表", fig = "图", eq = "公式", annex = "附录", normative = "（规范性）",
    informative = "（资料性）", chapter = { "第", "章" }, join = "、", last = "、", to = "～", open = "（", close = "）", gap = "",
  },
  en = {
    tbl = "Table ", fig = "Figure ", eq = "Formula ", annex = "Annex ", normative = "(normative)",
    informative = "(informative)", chapter = { "Clause ", "" }, join = ", ", last = " and ", to = " to ", open = "(", close = ")", gap = " ",
  },
}
local FIELD = { tbl = "Table", fig = "Figure", eq = "Formula" }

local words = WORDS.zh
local problems, numbers, cited, entries = {}, {}, {}, {}
local pages = {} -- of the entries of the contents, where the program knows them
local annex, count = "", { tbl = 0, fig = 0, eq = 0 }
local clause, annexes, bookmarks, ended = { 0, 0, 0 }, 0, 0, {}

local function problem(kind, what)
  problems[#problems + 1] = "draft-problem\t" .. kind .. "\t" .. what
end

local function raw(xml) return pandoc.RawInline("openxml", xml) end

local function escaped(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"))
end

local function run(text, properties)
  return '<w:r><w:rPr><w:rFonts w:hint="eastAsia"/>' .. (properties or "") .. '</w:rPr><w:t xml:space="preserve">'
    .. escaped(text) .. "</w:t></w:r>"
end

local function field(instruction, text)
  return '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> ' .. instruction
    .. ' </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>' .. run(text)
    .. '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
end

local function bookmark_name(id) return ("_Ref_" .. id:gsub("[^%w]", "_")):sub(1, 40) end

local function bookmarked(id, xml)
  bookmarks = bookmarks + 1
  local number = 9000 + bookmarks
  return '<w:bookmarkStart w:id="' .. number .. '" w:name="' .. bookmark_name(id) .. '"/>' .. xml
    .. '<w:bookmarkEnd w:id="' .. number .. '"/>'
end

local function define(id, text)
  if numbers[id] then problem("twice", id) end
  numbers[id] = text
end

-- Tables, figures and equations ------------------------------------------------------------------

local function label(kind, id)
  count[kind] = count[kind] + 1
  local prefix = annex ~= "" and (annex .. ".") or ""
  local text = prefix .. count[kind]
  local before, after = words[kind], ""
  if kind == "eq" then before, after = words.open, words.close end
  define(id, before .. text .. after)
  if not DOCX then return { pandoc.Str(before .. text .. after) } end
  local sequence = field("SEQ " .. FIELD[kind] .. annex .. " \\* ARABIC", tostring(count[kind]))
  local xml = run(before .. prefix) .. sequence .. (after ~= "" and run(after) or "")
  return { raw(bookmarked(id, xml)) }
end

local function captioned(caption, kind, id)
  local inlines = pandoc.List(label(kind, id))
  inlines:insert(pandoc.Str(GAP))
  for _, block in ipairs(caption.long) do inlines:extend(block.content) end
  caption.long = { pandoc.Plain(inlines) }
  return caption
end

local function equation(para)
  local math, id
  for _, inline in ipairs(para.content) do
    if inline.t == "Math" and inline.mathtype == "DisplayMath" then math = inline end
    if inline.t == "Str" then id = id or inline.text:match("^{#(eq:[%w_%-]+)}$") end
  end
  if not math then return nil end
  if not id then return pandoc.Para({ math }) end
  if DOCX then
    local tab = raw("<w:r><w:tab/></w:r>")
    local content = pandoc.List({ tab, pandoc.Math("InlineMath", math.text), tab })
    content:extend(label("eq", id))
    return pandoc.Div({ pandoc.Para(content) }, { ["custom-style"] = "Equation" }), false
  end
  local number = label("eq", id)
  if TYPST then
    local inside = { pandoc.RawInline("typst", "#numbered["), math, pandoc.RawInline("typst", "][") }
    inside[#inside + 1] = number[1]
    inside[#inside + 1] = pandoc.RawInline("typst", "] <" .. id .. ">")
    return pandoc.Para(inside), false
  end
  local spans = { pandoc.Span({ math }, { class = "formula" }), pandoc.Span(number, { class = "formula-number" }) }
  return pandoc.Div({ pandoc.Para(spans) }, pandoc.Attr(id, { "equation" })), false
end

-- Headings ---------------------------------------------------------------------------------------

local function styled(style, inlines)
  return pandoc.Div({ pandoc.Para(inlines) }, { ["custom-style"] = style })
end

local function section_end(name)
  if ended[name] then return {} end
  ended[name] = true
  if DOCX then
    return { pandoc.RawBlock("openxml", '<w:p><w:pPr><w:pStyle w:val="SectionEnd"/></w:pPr></w:p>') }
  end
  if TYPST then return { pandoc.RawBlock("typst", "#show: " .. (name == "cover" and "front-pages" or "body-pages")) } end
  return {}
end

local function enclosed(id, inlines)
  -- Bookmark around the whole heading, so that REF \n finds its number.
  bookmarks = bookmarks + 1
  local number, list = 9000 + bookmarks, pandoc.List({})
  list:insert(raw('<w:bookmarkStart w:id="' .. number .. '" w:name="' .. bookmark_name(id) .. '"/>'))
  list:extend(inlines)
  list:insert(raw('<w:bookmarkEnd w:id="' .. number .. '"/>'))
  return list
end

local function typst_call(name, id, parts)
  local inlines = pandoc.List({ pandoc.RawInline("typst", "#" .. name) })
  for _, part in ipairs(parts) do
    inlines:insert(pandoc.RawInline("typst", "["))
    inlines:extend(part)
    inlines:insert(pandoc.RawInline("typst", "]"))
  end
  inlines:insert(pandoc.RawInline("typst", " <" .. id .. ">"))
  return pandoc.Plain(inlines)
end

local function entry(level, number, title, id)
  entries[#entries + 1] = { level = level, number = number, title = title, id = id }
end

local function front_heading(header, id)
  local blocks = pandoc.List(section_end("cover"))
  local listed = not header.classes:includes("contents")
  if listed then entry(1, "", header.content, id) end
  define(id, pandoc.utils.stringify(header.content))
  if DOCX then
    blocks:insert(styled(listed and "Front Heading" or "Contents Heading", enclosed(id, header.content)))
  elseif TYPST then
    blocks:insert(typst_call(listed and "front-heading" or "contents-heading", id, { header.content }))
  else
    blocks:insert(pandoc.Header(1, header.content, pandoc.Attr(id, { "front" })))
  end
  return blocks, false
end

local function annex_heading(header, id)
  annexes = annexes + 1
  annex = LETTERS:sub(annexes, annexes)
  count, clause = { tbl = 0, fig = 0, eq = 0 }, { 0, 0, 0 }
  local kind = words[header.attributes.kind or ""]
  if not kind then
    problem("annex", pandoc.utils.stringify(header.content))
    kind = ""
  end
  local name = words.annex .. annex
  define(id, name)
  entry(1, name .. words.gap .. kind, header.content, id)
  if DOCX then
    if annexes > 8 then problem("annexes", name) end
    local lines = pandoc.List({ pandoc.LineBreak(), pandoc.Str(kind), pandoc.LineBreak() })
    lines:extend(header.content)
    return styled("Annex", enclosed(id, lines)), false
  elseif TYPST then
    return typst_call("annex-heading", id, { { pandoc.Str(name) }, { pandoc.Str(kind) }, { pandoc.Str(words.gap) }, header.content }), false
  end
  local lines = pandoc.List({ pandoc.Str(name), pandoc.LineBreak(), pandoc.Str(kind), pandoc.LineBreak() })
  lines:extend(header.content)
  return pandoc.Header(1, lines, pandoc.Attr(id, { "annex" })), false
end

local function numbered_heading(header, id)
  local level = header.level
  clause[level] = clause[level] + 1
  for deeper = level + 1, 3 do clause[deeper] = 0 end
  local first = annex ~= "" and { annex } or { tostring(clause[1]) }
  for i = 2, level do first[#first + 1] = tostring(clause[i]) end
  local number = table.concat(first, ".")
  local blocks = pandoc.List({})
  if annex == "" then blocks:extend(section_end("front")) end
  local whole = level == 1 and (words.chapter[1] .. number .. words.chapter[2]) or number
  define(id, whole)
  local term = header.classes:includes("term")
  if not term and level <= 2 then entry(level, number, header.content, id) end
  if DOCX then
    -- The number is the style's; the gap behind it is text, so that references do not repeat it.
    local line = pandoc.List({ term and pandoc.LineBreak() or pandoc.Str(GAP) })
    line:extend(header.content)
    line = enclosed(id, line)
    if term then
      blocks:insert(styled("Term", line))
    elseif annex ~= "" then
      blocks:insert(styled("Annex Clause", line))
    else
      blocks:insert(pandoc.Header(level, line))
    end
  elseif TYPST and term then
    blocks:insert(typst_call("term", id, { { pandoc.Str(number) }, header.content }))
  elseif term then
    blocks:insert(pandoc.Header(level, { pandoc.Str(number) }, pandoc.Attr(id, { "term" })))
    blocks:insert(pandoc.Div({ pandoc.Para(header.content) }, { class = "term" }))
  else
    local line = pandoc.List({ pandoc.Str(number .. GAP) })
    line:extend(header.content)
    blocks:insert(pandoc.Header(level, line, pandoc.Attr(id)))
  end
  return blocks, false
end

local function heading(header)
  local id = header.identifier
  if not id:match("^sec:") then id = "sec:auto-" .. (#entries + 1) .. "-" .. (clause[2] + 1) end
  if header.level > 3 then problem("level", pandoc.utils.stringify(header.content)) end
  if header.classes:includes("front") then return front_heading(header, id) end
  if header.classes:includes("annex") then return annex_heading(header, id) end
  return numbered_heading(header, id)
end

-- References -------------------------------------------------------------------------------------

local function reference(id)
  local kind = id:match("^(%a+):")
  if not numbers[id] then
    problem("unresolved", id)
    return { pandoc.Str("?") }
  end
  cited[id] = true
  local before, text, after, switch = "", numbers[id], "", " \\h"
  if kind == "eq" then before = words.eq end
  if kind == "sec" then
    switch = " \\n \\h"
    local head, tail = words.chapter[1], words.chapter[2]
    if text:sub(1, #head) == head then
      before, after, text = head, tail, text:sub(#head + 1, #text - #tail)
    end
  end
  -- A word and its number are on one line.
  if TYPST then
    local whole = (before .. text .. after):gsub(" ", "\u{a0}")
    for _, word in ipairs(kind == "sec" and {} or { words.tbl, words.fig, words.eq }) do
      if whole:sub(1, #word) == word then whole = word .. "\u{2060}" .. whole:sub(#word + 1) end
    end
    return { pandoc.Link(whole, "#" .. id) }
  end
  if not DOCX then return { pandoc.Link(before .. text .. after, "#" .. id) } end
  local out = { raw(field("REF " .. bookmark_name(id) .. switch, text)) }
  if before ~= "" then table.insert(out, 1, pandoc.Str(before)) end
  if after ~= "" then out[#out + 1] = pandoc.Str(after) end
  return out
end

-- Last of the citations from a place on whose numbers follow one another: （7）～（12） for six formulas in a row.
local function run_end(ids, from)
  local function parts(id)
    local head, number = (numbers[id] or ""):match("^(.-)(%d+)[^%d]*$")
    return id:match("^%a+") .. (head or ""), tonumber(number)
  end
  local head, number = parts(ids[from])
  local last = from
  while ids[last + 1] and not ids[from]:match("^sec:") do
    local next_head, next_number = parts(ids[last + 1])
    if not number or next_head ~= head or next_number ~= number + last + 1 - from then break end
    last = last + 1
  end
  return last
end

local function cite(element)
  local inlines, ids, at = pandoc.List({}), {}, 1
  for i, citation in ipairs(element.citations) do ids[i] = citation.id end
  while ids[at] do
    local ends = run_end(ids, at)
    local final = #ids == at or (#ids == ends and ends > at + 1)
    if at > 1 then inlines:insert(pandoc.Str(final and words.last or words.join)) end
    inlines:extend(reference(ids[at]))
    local last = run_end(ids, at)
    if last > at + 1 then
      inlines:insert(pandoc.Str(words.to))
      for i = at + 1, last do cited[ids[i]] = true end
      inlines:extend(reference(ids[last]))
      at = last
    end
    at = at + 1
  end
  return inlines
end

local function leftover(element)
  local mark = element.text:match("@%a+:[%w_%-]*") or element.text:match("{#%a+:[%w_%-]*}?")
  if mark then problem("leftover", mark) end
end

-- Contents ---------------------------------------------------------------------------------------

local function contents_docx()
  local lines = {}
  local opening = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> TOC \\o "1-2" \\h \\z \\t '
    .. '"Front Heading,1,Annex,1,Annex Clause,2" </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
  for i, e in ipairs(entries) do
    local title = (e.number ~= "" and (e.number .. GAP) or "") .. pandoc.utils.stringify(e.title)
    local page = '<w:r><w:tab/></w:r>' .. field("PAGEREF " .. bookmark_name(e.id) .. " \\h", pages[i] or "")
    lines[#lines + 1] = '<w:p><w:pPr><w:pStyle w:val="TOC' .. e.level .. '"/></w:pPr>' .. (i == 1 and opening or "")
      .. '<w:hyperlink w:anchor="' .. bookmark_name(e.id) .. '" w:history="1">' .. run(title) .. page .. "</w:hyperlink>"
      -- A paragraph of its own for the end of the field could make an empty page.
      .. (i == #entries and '<w:r><w:fldChar w:fldCharType="end"/></w:r>' or "") .. "</w:p>"
  end
  return { pandoc.RawBlock("openxml", table.concat(lines)) }
end

local function contents_html()
  local items = pandoc.List({})
  for _, e in ipairs(entries) do
    local title = pandoc.List({ pandoc.Str(e.number .. (e.number ~= "" and GAP or "")) })
    title:extend(e.title)
    items:insert(pandoc.Div({ pandoc.Plain({ pandoc.Link(title, "#" .. e.id) }) }, { class = "toc" .. e.level }))
  end
  return { pandoc.Div(items, { class = "toc", role = "navigation" }) }
end

local function contents(div)
  if not div.classes:includes("contents") then return nil end
  if DOCX then return contents_docx() end
  if TYPST then return { pandoc.RawBlock("typst", "#contents()") } end
  return contents_html()
end

-- The three passes -------------------------------------------------------------------------------

local function number_all(doc)
  local language = pandoc.utils.stringify(doc.meta.lang or "zh"):sub(1, 2)
  words = WORDS[language] or WORDS.en
  for page in pandoc.utils.stringify(doc.meta.pages or ""):gmatch("%S+") do pages[#pages + 1] = page end
  doc.blocks = doc.blocks:walk({
    traverse = "topdown",
    Header = heading,
    Table = function(element)
      if not element.identifier:match("^tbl:") then problem("unnumbered", "Table") return nil end
      element.caption = captioned(element.caption, "tbl", element.identifier)
      return element, false
    end,
    Figure = function(element)
      if not element.identifier:match("^fig:") then problem("unnumbered", "Figure") return nil end
      element.caption = captioned(element.caption, "fig", element.identifier)
      return element, false
    end,
    Para = equation,
    Div = function(div)
      if div.classes:includes("doctitle") then
        local blocks = pandoc.List(section_end("front"))
        blocks:insert(div)
        return blocks, false
      end
    end,
  })
  return doc
end

local function refer_all(doc)
  doc.blocks = doc.blocks:walk({ Cite = cite })
  doc.blocks = doc.blocks:walk({ Str = leftover, Div = contents })
  for id, _ in pairs(numbers) do
    local kind = id:match("^(%a+):")
    if (kind == "tbl" or kind == "fig") and not cited[id] then problem("uncited", id) end
  end
  if #problems > 0 then
    table.sort(problems)
    io.stderr:write(table.concat(problems, "\n") .. "\n")
    error("the draft has problems")
  end
  return doc
end

return { { Pandoc = number_all }, { Pandoc = refer_all } }
