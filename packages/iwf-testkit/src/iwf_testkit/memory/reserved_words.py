"""Words that the query language keeps for itself.

Measured on a Temporal server, whose parser is one for SQL: it tells in its answer how it has read a name. The
lists decide only which names must stand in backticks; `query_language` has the grammar.
"""

RESERVED = frozenset(
    """
    add all alter analyze and as asc auto_increment between binary boolean by case cast collate column
    constraint convert create cross current_date current_time current_timestamp database databases
    default delete desc describe distinct div drop else end escape exists explain extended false for
    force from full group group_concat having if ignore in index inner insert interval into is join key
    left like limit localtime localtimestamp lock match maxvalue mod natural next not null on or order
    outer processlist regexp rename replace right rlike schema select separator set show starts_with
    straight_join stream substr substring table tables then to true union unique update use using
    utc_date utc_time utc_timestamp values when where
    """.split()
)
"""No names of fields, unless in backticks."""

READ_IN_LOWER_CASE = frozenset(
    """
    accessible against asensitive before begin bigint bit blob bool both call cascade change char
    character charset check comment commit committed condition continue current_user cursor date
    datetime day_hour day_microsecond day_minute day_second dec decimal declare delayed deterministic
    distinctrow double dual duplicate each elseif enclosed enum escaped exit expansion fetch float
    float4 float8 foreign fulltext generated geometry geometrycollection get global grant high_priority
    hour_microsecond infile inout insensitive int int1 integer io_after_gtids isolation iterate json
    key_block_size keys kill language last_insert_id leading leave less level linear lines linestring
    load long longblob longtext loop low_priority master_bind mediumblob mediumint mediumtext middleint
    mode modifies multilinestring multipoint multipolygon names nchar no_write_to_binlog numeric offset
    only optimize option optionally out outfile partition point polygon precision primary procedure
    query range read read_write reads real references release reorganize repair repeat repeatable
    require resignal restrict return revoke rollback schemas sensitive serializable session share signal
    signed smallint spatial specific sql start starting status stored terminated text than time
    timestamp tinyblob tinyint tinytext trailing transaction trigger truncate uncommitted undo unlock
    unsigned usage varbinary varchar varcharacter variables varying view vindex vindexes virtual
    vitess_keyspaces vitess_shards vitess_tablets vschema_tables while with write xor year year_month
    zerofill
    """.split()
)
"""Names that lose their capitals, unless in backticks: a field `Status` is then not found."""
