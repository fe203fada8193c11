"""What a reading query may use, as data. Whatever is not named here is refused by name."""

from __future__ import annotations

#: First word -> what the engine's parser must make of the statement.
STATEMENTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("select", "with", "from"), frozenset({"SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery"})
    ),
    "explain": frozenset({"Explain"}),
    "describe": frozenset({"DescribeQuery"}),
    "desc": frozenset({"DescribeQuery"}),
    "show": frozenset({"ShowTables", "ShowColumns", "ShowCreateTableQuery", "ShowCreateViewQuery"}),
    "exists": frozenset({"ExistsTableQuery", "ExistsViewQuery"}),
}

#: Kinds of EXPLAIN; the statement inside is judged like any other. TABLE OVERRIDE connects.
EXPLAINS = frozenset({"", "AST", "SYNTAX", "PLAN", "PIPELINE", "ESTIMATE", "QUERY TREE"})

#: Nodes of a parsed SELECT that say everything about themselves. APPLY and SETTINGS hide what they hold.
NODES = frozenset({
    "SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery", "ExpressionList", "Literal", "Identifier",
    "Asterisk", "QualifiedAsterisk", "ColumnsRegexpMatcher", "ColumnsListMatcher", "QualifiedColumnsRegexpMatcher",
    "QualifiedColumnsListMatcher", "ColumnsTransformerList", "ColumnsExceptTransformer", "ColumnsReplaceTransformer",
    "ColumnsReplaceTransformer::Replacement", "Function", "Subquery", "WithElement", "TablesInSelectQuery",
    "TablesInSelectQueryElement", "TableExpression", "TableIdentifier", "TableJoin", "ArrayJoin", "OrderByElement",
    "WindowListElement", "WindowDefinition", "InterpolateElement", "SampleRatio",
})  # fmt: skip
HIDDEN = {"Set": "SETTINGS", "ColumnsApplyTransformer": "APPLY", "QueryParameter": "a {name:Type} parameter"}

TABLE_FUNCTIONS = frozenset({
    "numbers", "numbers_mt", "zeros", "zeros_mt", "values", "generate_series", "generateSeries", "generateRandom",
    "null", "view", "viewIfPermitted",
    # views of ours that take parameters: `sori audit` and its page, rates and dashboards ask them
    "auth_audit_within", "auth_audit_between",
    "ctr_sums_by_campaign", "ctr_sums_by_place", "ctr_sums_by_country", "ctr_sums_by_detail", "ctr_sums_of_places",
    "device_sums", "device_click_sums", "sums_of_devices", "events_of_device", "events_of_activity",
})  # fmt: skip
#: Their arguments are table functions again.
NESTING_TABLE_FUNCTIONS = frozenset({"view", "viewIfPermitted"})

#: Tables of `system` that say what there is, and nothing of what others ask, of secrets or of this machine.
SYSTEM_TABLES = frozenset({
    "one", "numbers", "numbers_mt", "zeros", "zeros_mt", "tables", "columns", "databases", "functions",
    "table_functions", "aggregate_function_combinators", "formats", "data_type_families", "parts", "parts_columns",
    "data_skipping_indices", "projections", "time_zones", "settings", "merge_tree_settings", "keywords",
})  # fmt: skip

#: Groups of functions, as system.functions names them, in which all only compute.
FUNCTION_CATEGORIES = frozenset({
    "Arithmetic", "Arrays", "Bit", "Bitmap", "Comparison", "Conditional", "Dates and Times", "Distance", "Encoding",
    "Financial", "Geo", "Geo Polygon", "Hash", "IP Address", "JSON", "Logical", "Map", "Mathematical", "Null",
    "NumericIndexedVector", "QBit", "Random Number", "Rounding", "String", "String Replacement", "String Search",
    "String Splitting", "Time Window", "Tuple", "Type Conversion", "URL", "UUID",
})  # fmt: skip
#: Harmless ones of the other groups, and names that only the parser knows.
FUNCTIONS = frozenset({
    "bar", "blockNumber", "blockSize", "byteSize", "caseWithExpression", "countDigits", "currentDatabase",
    "defaultValueOfArgumentType", "defaultValueOfTypeName", "digits", "dumpColumnStructure", "exists",
    "finalizeAggregation", "formatReadableDecimalSize", "formatReadableQuantity", "formatReadableSize",
    "formatReadableTimeDelta", "getSubcolumn", "grouping", "identity", "ignore", "indexHint",
    "initializeAggregation", "isConstant", "isDecimalOverflow", "lambda", "materialize", "MACNumToString",
    "MACStringToNum", "minSampleSizeContinuous", "minSampleSizeConversion", "neighbor", "normalizedQueryHash",
    "parseReadableSize", "parseReadableSizeOrNull", "parseReadableSizeOrZero", "parseTimeDelta",
    "rowNumberInAllBlocks", "rowNumberInBlock", "runningAccumulate", "runningDifference",
    "runningDifferenceStartingWithFirstValue", "throwIf", "toColumnTypeName", "toTypeName", "transform",
    "variantElement", "variantType", "version", "visibleWidth", "seriesDecomposeSTL", "seriesOutliersDetectTukey",
})  # fmt: skip
#: One call costs the square of its arguments' size, or memory that nothing counts: limits are looked at between blocks
#: of rows, so one such call alone takes minutes, or gigabytes (measured on ClickHouse 26.9).
UNBOUNDED_FUNCTIONS = frozenset({
    "printf", "editDistance", "editDistanceUTF8", "levenshteinDistance", "levenshteinDistanceUTF8",
    "damerauLevenshteinDistance", "arrayLevenshteinDistance", "arrayLevenshteinDistanceWeighted", "arraySimilarity",
    "JSON_QUERY", "JSON_VALUE", "JSON_EXISTS",
})  # fmt: skip
#: Functions whose second argument may be a table.
IN_FUNCTIONS = frozenset(
    name + suffix
    for name in ("in", "notIn", "globalIn", "globalNotIn", "nullIn", "notNullIn", "globalNullIn", "globalNotNullIn")
    for suffix in ("", "IgnoreSet")
)
