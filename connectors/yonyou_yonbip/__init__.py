"""Yonyou YonBIP and YonSuite (用友): customers ("merchants") over the open platform of the tenant's data centre."""
