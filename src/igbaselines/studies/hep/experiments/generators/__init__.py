"""How good are the synthetic events?"""
